"""Signatures against published vectors, Retry-After, what an upstream may be configured to be, the event's body."""

import base64
import json

import pytest

from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.forwarders.cloudevents import OMITTABLE, CloudEvents, wants
from gateway.forwarders.webhook import (
    UpstreamConfig,
    WebhookSender,
    decode_secret,
    retry_after_ms,
    sign,
)
from gateway.outcome import EventRaised
from gateway.site import Site

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_of_the_public_verification_libraries():
    """The vector in the test suites of Standard Webhooks."""
    made = sign([decode_secret(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_keys_make_two_signatures():
    keys = [decode_secret(SECRET), b"k" * 24]
    both = sign(keys, "e", 1, b"x").split(" ")
    assert both == [sign([key], "e", 1, b"x") for key in keys]


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_@@@@", SECRET.removeprefix("whsec_"), "whsec_" + base64.b64encode(b"short").decode()]
)
def test_a_secret_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="secret"):
        decode_secret(text)


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [(None, None), ("7", 7_000), (" 0 ", 0), ("soon", None), ("-1", None), ("1.5", None),
     ("Thu, 01 Jan 1970 00:01:40 GMT", 50_000), ("Thu, 01 Jan 1970 00:00:01 GMT", 0),
     ("99999999999999", 999_999_999_000)],
)  # fmt: skip
def test_retry_after(value, wait_ms):
    assert retry_after_ms(value, 50) == wait_ms


@pytest.mark.parametrize(
    ("url", "more", "text"),
    [
        ("http://example.org/x", {}, "loopback"),
        ("ftp://example.org/x", {}, "http or https"),
        ("https:///x", {}, "http or https"),
        ("https://me:secret@example.org/", {}, "header_envs"),
        ("https://example.org/", {"omit": ("amount",)}, "left out"),
    ],
)
def test_an_upstream_that_is_unsafe_is_refused(url, more, text):
    with pytest.raises(ValueError, match=text):
        UpstreamConfig("u", url, **more)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://localhost/", "http://[::1]:9/", "https://10.0.0.1/x"])
def test_loopback_and_https_are_fine(url):
    assert wants(UpstreamConfig("u", url).types, "pilegate.bill.created")


def test_types_choose_by_name_or_by_star():
    upstream = UpstreamConfig("u", "https://example.org/", types=("pilegate.bill.*", "pilegate.pile.online"))
    wanted = ("pilegate.bill.created", "pilegate.bill.revised", "pilegate.pile.online")
    assert all(wants(upstream.types, kind) for kind in wanted)
    assert not wants(upstream.types, "pilegate.pile.offline")


def test_the_body_is_a_cloud_event_with_what_may_be_known():
    upstreams = [
        UpstreamConfig("all", "https://example.org/"),
        UpstreamConfig("few", "https://example.org/", types=("pilegate.test",)),
        UpstreamConfig("shy", "https://example.org/", omit=("vin",)),
    ]
    events = CloudEvents(upstreams, source="/pilegate/s", zone=Site().zone)
    event = EventRaised("id-1", "pilegate.pile.online", "p", "pile:p", 1_772_509_200_000, {"vin": "V", "n": "电"},
                        is_perishable=True)  # fmt: skip
    assert events("few", event, 1) is None
    body, expires_at_ms = events("all", event, 7)
    assert expires_at_ms == 1_772_509_200_000 + 86_400_000
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "id-1",
        "source": "/pilegate/s",
        "type": "pilegate.pile.online",
        "subject": "p",
        "time": "2026-03-03T11:40:00.000+08:00",
        "datacontenttype": "application/json",
        "sequence": "7",
        "partitionkey": "pile:p",
        "data": {"vin": "V", "n": "电"},
    }
    assert "电".encode() in body
    assert json.loads(events("shy", event, 1)[0])["data"] == {"vin": None, "n": "电"}


def test_only_fields_that_may_be_null_can_be_left_out():
    from gateway.billschema import BILL_SCHEMA_PATH

    schema = json.loads(BILL_SCHEMA_PATH.read_text())["properties"]
    for name in OMITTABLE:
        assert "null" in json.dumps(schema[name]), name


@pytest.mark.parametrize(
    ("config", "environment", "code"),
    [
        ({"secret_envs": ("S",)}, {}, "secret_missing"),
        ({"secret_envs": ("S",)}, {"S": "x"}, "secret_unusable"),
        ({"header_envs": ("X-Key",)}, {}, "header_unusable"),
        ({"header_envs": ("X-Key=K",)}, {}, "header_unusable"),
        ({"ca_file": "/no/such.pem"}, {}, "ca_unusable"),
    ],
)
def test_a_sender_says_what_it_lacks(config, environment, code):
    with pytest.raises(ConfigError) as caught:
        WebhookSender(UpstreamConfig("u", "https://example.org/", **config), Clock(), environment)
    assert caught.value.code == code
