"""Devices and users who asked to be forgotten: their wish kept, what is stored of them deleted."""
