"""The door: who may come in, how much at once, and how large a body may be."""
