from billing_core.evidence cimport Evidence, Record
from billing_core.findings cimport Findings
from billing_core.fixed cimport loss_adjusted_e4kwh_half_up, share_half_up


cdef class Split:
    cdef readonly tuple lines, segments
    cdef readonly str basis
    cdef readonly tuple campaigns
