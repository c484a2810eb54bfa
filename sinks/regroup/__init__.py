"""Stored crashes grouped again by the current rule."""
