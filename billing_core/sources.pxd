from billing_core.evidence cimport Evidence, Record, Tier
from billing_core.fixed cimport share_half_up
from billing_core.seen cimport Seen


cdef class Source:
    cdef readonly object rank
    cdef readonly str name
    cdef readonly object energy_e4kwh, percent


cdef class Registers:
    cdef readonly object difference_e4kwh
    cdef readonly bint is_rollover, is_rollback, is_placeholder
