"""Services of other teams, as docs/CONSUMERS.md shows them. They import nothing of this project
but `on_our_loop.py`."""
