"""A month of two hundred simulated piles with the faults of the field, in virtual time; ``make truth`` runs it."""
