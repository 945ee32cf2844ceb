"""Whether the tests would notice: ``make mutate``."""
