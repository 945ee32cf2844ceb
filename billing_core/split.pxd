from billing_core.evidence cimport Evidence, Record
from billing_core.findings cimport Findings


cdef class Split:
    cdef readonly tuple lines, segments
    cdef readonly str basis
    cdef readonly tuple campaigns
