from billing_core.anomalies cimport Anomaly
from billing_core.bill cimport Bill
from billing_core.decision cimport Verdict
from billing_core.evidence cimport Evidence
from billing_core.findings cimport Findings
