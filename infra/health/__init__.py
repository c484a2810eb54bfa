"""Whether one of our services is healthy, asked by a container that has neither shell nor curl."""
