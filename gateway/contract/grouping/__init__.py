"""Which crashes are the same crash: read a stack, name its frames as every build would, hash them.

Pure, and linear in the size of what a phone sent. The gateway groups what arrives, the sink what
is stored, from the same columns.
"""
