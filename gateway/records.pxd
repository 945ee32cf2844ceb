from billing_core.evidence cimport Record
from gateway.opensession cimport OpenSession
