"""Simulated piles: sans-IO piles with scripts, faults by name, fleets over real TCP."""
