"""Wire protocols: what a vendor's SDK sends, as batches of events; verdicts, as that SDK's answer.

Pure. The core knows no vendor: it knows the port in `protocol`.
"""
