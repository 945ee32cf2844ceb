from billing_core.anomalies cimport Anomaly
from billing_core.civil cimport Zone, iso_local
from billing_core.evidence cimport Evidence
from billing_core.findings cimport Findings
from billing_core.fixed cimport format_e4, format_fen
from billing_core.tariff cimport Tariff


cdef class Matter:
    cdef readonly str status
    cdef readonly Anomaly main
    cdef readonly tuple anomalies
    cdef readonly object started_at_ms, ended_at_ms, energy_e4kwh, total, payable_fen
    cdef readonly tuple adjustments
    cdef readonly Tariff tariff
    cdef readonly Zone zone
