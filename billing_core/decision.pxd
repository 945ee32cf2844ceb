from billing_core.anomalies cimport Anomaly
from billing_core.evidence cimport Evidence
from billing_core.findings cimport Findings


cdef class Gate:
    cdef readonly object shown_e4yuan, limit_e4yuan
    cdef readonly bint is_passed


cdef class Verdict:
    cdef readonly str decision
    cdef readonly object energy_percent, time_percent, tariff_percent, identity_percent
    cdef readonly Gate gate
    cdef readonly tuple reasons
