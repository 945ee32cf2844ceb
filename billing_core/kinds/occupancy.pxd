from billing_core.evidence cimport Evidence
from billing_core.findings cimport Findings
