from billing_core.evidence cimport Evidence, Record
from billing_core.seen cimport Seen
from billing_core.sources cimport Registers, Source


cdef class Findings:
    cdef readonly Seen seen
    cdef readonly Record record
    cdef readonly tuple scale
    cdef readonly object half_e4kwh, window
    cdef readonly Registers registers
    cdef readonly tuple sources
    cdef readonly object energy_e4kwh
    cdef readonly str energy_basis
    cdef readonly object energy_percent
    cdef readonly bint must_choose, must_weigh
    cdef readonly object tariff
    cdef readonly tuple sampled
    cdef readonly bint has_clock, times_hold
    cdef readonly object behind_end_ms, gross_fen, gross_lines
