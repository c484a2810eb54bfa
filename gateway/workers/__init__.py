"""Several gateway processes on one host: workers that serve, one keeper of the spool."""
