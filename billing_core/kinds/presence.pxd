from billing_core.evidence cimport ChainLink, Evidence, Record
from billing_core.findings cimport Findings
