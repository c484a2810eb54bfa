"""Inputs nobody would send, made by seeded dice, against the whole application in this process."""
