from billing_core.evidence cimport Evidence, Record
from billing_core.findings cimport Findings


cdef class Times:
    cdef readonly object started_ms, ended_ms
    cdef readonly str basis
