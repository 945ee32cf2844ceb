"""The body of an event, made once."""

import json

import pytest

from gateway.forwarders.cloudevents import CloudEvents, refuse_omissions, wants
from gateway.forwarders.webhook import UpstreamConfig
from gateway.outcome import EventRaised
from gateway.site import Site
from tests.support.commandline import books, pilegate


@pytest.mark.parametrize(
    ("types", "kind", "is_wanted"),
    [
        ((), "pilegate.x", True),
        (("pilegate.bill.*",), "pilegate.bill.created", True),
        (("pilegate.bill.*",), "pilegate.billing", False),
        (("pilegate.pile.online",), "pilegate.pile.offline", False),
    ],
)
def test_who_wants_what(types, kind, is_wanted):
    assert wants(types, kind) is is_wanted


def test_a_bill_keeps_its_schema_whatever_is_left_out(tmp_path):
    from gateway.billschema import fault_of
    from gateway.forwarders.cloudevents import OMITTABLE

    bill = json.loads(pilegate("bills", "--db", books(tmp_path, "app-start-across-two-rates"), "--json").out)
    config = UpstreamConfig("u", "https://example.org/", omit=tuple(OMITTABLE))
    events = CloudEvents([config], source="/pilegate/s", zone=Site().zone)
    body, _ = events("u", EventRaised("b", "pilegate.bill.created", "t", "t", 0, bill), 1)
    told = json.loads(body)
    assert fault_of(told["data"]) is None
    assert all(told["data"][name] is None for name in OMITTABLE)
    assert told["dataschema"] == "urn:pilegate:bill:1"


def test_money_cannot_be_left_out():
    with pytest.raises(ValueError, match="amount"):
        refuse_omissions(["vin", "amount"])
