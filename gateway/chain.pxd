from billing_core.evidence cimport ChainLink
