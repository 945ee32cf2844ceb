from billing_core.evidence cimport Evidence
from billing_core.findings cimport Findings


cdef class Anomaly:
    cdef readonly str code, severity, detail_en, detail_zh


cdef class Entry:
    cdef readonly str code, severity, family
    cdef readonly object predicate
    cdef readonly tuple explains
    cdef readonly bint needs_person, is_expected
