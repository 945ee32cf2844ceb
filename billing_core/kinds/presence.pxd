from billing_core.evidence cimport ChainLink, Evidence, Record
from billing_core.findings cimport Findings
from billing_core.fixed cimport format_e4
