from billing_core.evidence cimport Evidence, Record
from billing_core.findings cimport Findings
from billing_core.fixed cimport energy_fee_e4yuan, format_e4, format_e5, format_fen
