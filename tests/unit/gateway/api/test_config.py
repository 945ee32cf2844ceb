"""Nothing gets in by default."""

from ipaddress import ip_address

from gateway.api.config import ApiConfig


def test_the_interface_listens_on_loopback_unless_told_otherwise():
    assert ip_address(ApiConfig().host).is_loopback
