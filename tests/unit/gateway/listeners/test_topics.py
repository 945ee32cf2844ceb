import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.listeners.topics import (
    ROUTES,
    PayloadError,
    RouteConfig,
    Routes,
    Template,
    decode,
    encode,
    only_pile_of,
    routes_from,
    tells_offline,
)
from gateway.tomlfile import TomlFile

NAMES = st.text("0123456789ABCxyz_-", min_size=1, max_size=20)
FRAME = bytes.fromhex("680C000000025503141278230500DA4C")


@given(NAMES, NAMES)
def test_a_topic_made_from_parts_gives_them_back(proto, pile):
    template = Template("pile/v1/{proto}/{id}/up")
    assert template.match(template.fill({"proto": proto, "id": pile})) == {"proto": proto, "id": pile}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pile/v1/{proto}/{id}/up", "pile/v1/+/+/up"),
        ("/d2s/{owner}/charger/{id}/raw", "/d2s/+/charger/+/raw"),
        ("{id}", "+"),
        ("site/pile-{id}/up", "site/+/up"),
    ],
)
def test_a_filter_has_a_plus_for_every_level_with_a_part(text, wanted):
    assert Template(text).filter == wanted


@pytest.mark.parametrize(
    "topic", ["pile/v1/ykc/a+b/up", "pile/v1/ykc/一号/up", "pile/v1/ykc//up", "pile/v1/ykc/1/2/up"]
)
def test_odd_topics_belong_to_nobody(topic):
    assert Routes(ROUTES).place(topic) is None


@pytest.mark.parametrize("text", ["", "a/+/{id}", "a/#", "$SYS/{id}", "{id}/{id}", "a/{id", "a/{}"])
def test_templates_that_cannot_be_are_refused(text):
    with pytest.raises(ValueError, match="topic"):
        Template(text)


def test_a_place_knows_its_way_back_and_its_only_pile():
    place = Routes(ROUTES).place("pile/v1/ykc/55031412782305/up")
    assert (place.down, place.state) == ("pile/v1/ykc/55031412782305/down", "pile/v1/ykc/55031412782305/state")
    assert place.pile_id == place.key == "55031412782305"


def test_piles_of_a_concentrator_share_its_presence_and_its_process():
    routes = Routes(ROUTES)
    one, two, whole = (routes.place(f"pile/v1/aaf5/hub/h7/{rest}") for rest in ("p1/up", "p2/up", "up"))
    assert one.state == two.state == "pile/v1/aaf5/hub/h7/state"
    assert one.key == two.key == whole.key == "h7"
    assert (one.pile_id, two.pile_id, whole.pile_id) == ("p1", "p2", None)
    assert routes.is_state(one.state)
    assert routes.place(one.state) is None


def test_the_name_of_a_link_tells_its_only_pile_where_it_is_a_topic():
    usual = routes_from(TomlFile("[site]\n", "a"))
    known = ("pile/v1/ykc/p1/up", "pile/v1/aaf5/hub/h7/p1/up", "pile/v1/aaf5/hub/h7/up", "10.0.0.5:4001")
    assert [only_pile_of(link, usual) for link in known] == ["p1", "p1", None, None]
    assert routes_from(TomlFile('[[mqtt]]\nurl = "mqtt://a"\n', "a"))[0].place(known[0]).pile_id == "p1"
    own = routes_from(TomlFile('[[mqtt]]\n[[mqtt.route]]\nup = "own/{id}"\ndown = "d/{id}"\n', "a"))
    assert [only_pile_of(link, own) for link in ("own/p2", known[0])] == ["p2", None]


def test_templates_that_could_be_confused_are_refused():
    one = RouteConfig("a/{id}/up", "a/{id}/down")
    two = RouteConfig("a/{hub}/up", "b/{hub}/down")
    with pytest.raises(ValueError, match="could be the same"):
        Routes((one, two))


@pytest.mark.parametrize(
    ("up", "down", "state"),
    [("a/{proto}/up", "a/{proto}/down", ""), ("a/{id}", "b/{hub}", ""), ("a/{id}", "b/{id}", "c/{hub}")],
)
def test_routes_that_lead_nowhere_are_refused(up, down, state):
    with pytest.raises(ValueError, match="topic"):
        RouteConfig(up, down, state)


def test_every_pile_is_served_by_one_of_the_processes():
    routes = Routes(ROUTES)
    shares = [routes.place(f"pile/v1/ykc/{number:014d}/up").share_no(3) for number in range(300)]
    assert set(shares) == {0, 1, 2}
    assert max(shares.count(no) for no in range(3)) < 150


@pytest.mark.parametrize("encoding", ["raw", "hex", "json"])
def test_payloads_come_back_as_they_went(encoding):
    assert decode(encode(FRAME, encoding, "frame"), encoding, "frame") == FRAME


def test_json_may_hold_base64_and_blanks_and_other_members():
    text = base64.b64encode(FRAME).decode()
    assert decode(json.dumps({"seq": 1, "f": text}).encode(), "json", "f") == FRAME
    assert decode(b'{"f": "68 0C\\n0000"}', "json", "f") == bytes.fromhex("680C0000")
    assert decode(b"68 0c 00", "hex", "") == bytes.fromhex("680C00")


@given(st.binary(max_size=60), st.sampled_from(["hex", "json"]))
def test_any_payload_ends_in_bytes_or_a_payload_error(payload, encoding):
    with contextlib.suppress(PayloadError):
        assert isinstance(decode(payload, encoding, "frame"), bytes)


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (b'{"online":false,"reason":"will"}', True),
        (b'{"online":true}', False),
        (b'{"online":1}', None),
        (b"offline", None),
        (b"[]", None),
        (b"\xff", None),
        (b"[" * 50_000, None),
    ],
)
def test_presence_says_here_gone_or_nothing(payload, wanted):
    assert tells_offline(payload) is wanted
