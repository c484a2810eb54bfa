"""Dead letters as people deal with them: told, and put back."""
