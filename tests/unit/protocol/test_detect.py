"""Which dialect a link speaks."""

import pytest

from protocol.detect import DIALECTS, dialect_named, first_heard, traits_of
from protocol.events import FrameRefused, HeartbeatReceived
from protocol.link import Link
from tests.support.frames import good_frames

AT_MS = 1_772_509_216_074
BEATS = {
    "ykc": next(f for f in good_frames("ykc", "up") if f[5] == 0x03),
    "aaf5": next(f for f in good_frames("aaf5", "up") if f[6] == 102 and f[7] == 0),
}


@pytest.mark.parametrize("name", BEATS)
def test_the_first_good_frame_tells(name):
    link = Link()
    [fact] = link.receive(BEATS[name], AT_MS)
    assert isinstance(fact, HeartbeatReceived)
    assert link.dialect.name == name


@pytest.mark.parametrize("name", BEATS)
@pytest.mark.parametrize("noise", [b"\x68\x30", b"\xaa\xf5\x40\x00\x10", b"\xaa", b"GET / HTTP/1.1\r\n"])
def test_noise_in_front_does_not_settle_it(name, noise):
    link = Link()
    told = link.receive(noise, AT_MS)
    told += link.receive(BEATS[name], AT_MS)
    told += link.receive(BEATS[name], AT_MS)
    assert link.dialect.name == name
    assert sum(isinstance(fact, HeartbeatReceived) for fact in told) == 2


@pytest.mark.parametrize("name", BEATS)
def test_a_link_cut_at_every_byte_is_recognised(name):
    link = Link()
    told = [fact for at in range(len(BEATS[name])) for fact in link.receive(BEATS[name][at : at + 1], AT_MS)]
    assert (link.dialect.name, len(told)) == (name, 1)


def test_a_settled_link_hears_no_other_dialect():
    link = Link()
    link.receive(BEATS["ykc"], AT_MS)
    told = link.receive(BEATS["aaf5"] + BEATS["ykc"], AT_MS)
    assert [type(fact) for fact in told] == [FrameRefused, HeartbeatReceived]
    assert link.dialect.name == "ykc"


def test_a_configured_link_waits_for_nothing():
    link = Link(protocol="aaf5-op30")
    assert (link.dialect.name, link.protocol) == ("aaf5", "aaf5-op30")


def test_what_a_gateway_said_tells_too():
    answer = next(f for f in good_frames("aaf5", "down") if f[6] == 101)
    link = Link()
    link.observe_sent(answer, AT_MS)
    assert link.dialect.name == "aaf5"


def test_names_with_and_without_version():
    found = [dialect_named(name) for name in ("aaf5", "aaf5-sh52", "ykc-1.6", "ocpp", None)]
    assert [dialect and dialect.name for dialect in found] == ["aaf5", "aaf5", "ykc", None, None]
    assert first_heard(b"\x00\xaa\xf5\x68").name == "aaf5"
    assert first_heard(b"none") is None


def test_every_dialect_has_traits_for_any_version():
    for dialect in DIALECTS:
        assert dialect.traits(dialect.name).rates_max >= 4
    assert traits_of("aaf5-lv34").price_decimals == 4
    assert traits_of(None).price_decimals == 5
