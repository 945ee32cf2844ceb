from billing_core.evidence cimport Authorisation, BmsEnd, Evidence
from billing_core.session cimport ChargingSession
from gateway.opensession cimport OpenSession
