"""What is released: locks, wheel, sdist, list of parts."""
