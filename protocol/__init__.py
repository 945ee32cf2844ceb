"""Pile protocols, sans-IO: bytes on one side, dialect-neutral facts and orders on the other."""
