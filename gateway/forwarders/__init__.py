"""Pilegate gateway room."""
