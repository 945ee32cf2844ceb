from billing_core.bill cimport Bill
from billing_core.evidence cimport Evidence, Former
from gateway.opensession cimport OpenSession
