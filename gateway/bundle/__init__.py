"""Bundles of evidence: one file that holds a bill, what it rests on, and the proof that nobody touched it.

Whoever gets a bundle recomputes the bill from its frames alone, with no daemon, database or network.
"""
