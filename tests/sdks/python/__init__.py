"""Apps that use one SDK each, as ordinary code would; each runs in a process of its own."""
