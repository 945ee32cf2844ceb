from billing_core.session cimport ChargingSession
from gateway.opensession cimport OpenSession
