"""One predicate per anomaly, a file per family: evidence and findings to words with numbers, or ``None``.

Names, tolerances and rulings are those of docs/billing.md.
"""
