from billing_core.adjust cimport Adjustment
from billing_core.anomalies cimport Anomaly
from billing_core.bill cimport Bill
from billing_core.clock cimport Times
from billing_core.decision cimport Verdict
from billing_core.evidence cimport Evidence, Record
from billing_core.explain cimport Matter
from billing_core.findings cimport Findings
from billing_core.split cimport Split


cdef class Reckoning:
    cdef readonly Findings findings
    cdef readonly tuple held
    cdef readonly Split split
    cdef readonly object total, gross_fen
    cdef readonly tuple adjustments
    cdef readonly Verdict verdict
