"""Tales of charges, each a log with the bill that must come of it; ``python -m tests.support.tales`` writes them."""
