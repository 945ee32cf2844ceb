from billing_core.evidence cimport Evidence
from billing_core.findings cimport Findings
from billing_core.fixed cimport loss_adjusted_e4kwh_half_up
