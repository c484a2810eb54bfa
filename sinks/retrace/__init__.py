"""Crash stacks made readable by the mapping files of their release."""
