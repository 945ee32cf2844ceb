"""Measures Pilegate against what runs beside it in the same run."""
