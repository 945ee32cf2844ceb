from billing_core.evidence cimport Evidence, Record
from billing_core.findings cimport Findings
