from billing_core.anomalies cimport Anomaly
from billing_core.civil cimport iso_local
from billing_core.decision cimport Verdict
from billing_core.evidence cimport Evidence
from billing_core.findings cimport Findings
from billing_core.fixed cimport format_e4, format_fen
