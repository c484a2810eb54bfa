"""What others would build for the same work, for comparison."""
