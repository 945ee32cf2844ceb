from billing_core.evidence cimport Evidence
from billing_core.findings cimport Findings
from billing_core.occupancy cimport OccupancyFee


cdef class Adjustment:
    cdef readonly str kind
    cdef readonly object energy_e4kwh, amount_fen, minutes, from_ms, to_ms
