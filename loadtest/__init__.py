"""Simulated phones, and the check that nothing they were promised got lost."""
