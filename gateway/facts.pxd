from billing_core.evidence cimport Authorisation, BmsEnd, PileFacts, Record, Tier
