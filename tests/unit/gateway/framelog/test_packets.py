import pytest

from gateway.framelog.packets import SYN, segment_of
from gateway.framelog.pcapfile import Packet
from tests.support.packets import GATEWAY, PILE, bsd_null, cooked, cooked2, ethernet, tcp

V6 = (("fe80::5", 40001), ("fe80::1", 8767))


def _segment(data, link_type, size=None):
    return segment_of(Packet(0, link_type, data, len(data) if size is None else size, 0))


@pytest.mark.parametrize("ends", [(PILE, GATEWAY), V6], ids=["v4", "v6"])
@pytest.mark.parametrize(
    ("link_type", "wrap"),
    [
        (1, ethernet),
        (1, lambda p: ethernet(p, vlan=True)),
        (101, bytes),
        (12, bytes),
        (113, cooked),
        (276, cooked2),
        (0, bsd_null),
        (108, bsd_null),
    ],
)
def test_headers_of_every_link_type(link_type, wrap, ends):
    packet = tcp(*ends, 2**32 - 1, b"abc", flags=SYN, ack=9, pad=6)
    segment = _segment(wrap(packet), link_type)
    assert (segment.source[1], segment.target[1]) == (40001, 8767)
    assert segment[2:] == (2**32 - 1, 9, SYN, b"abc", 0)


def test_the_snap_length_is_told():
    whole = ethernet(tcp(PILE, GATEWAY, 1, b"abcdef"))
    segment = _segment(whole[:-4], 1, len(whole))
    assert (segment.data, segment.missing_bytes) == (b"ab", 4)
    assert _segment(whole[: -6 - 4], 1, len(whole)).missing_bytes == 6
    assert "within its headers" in _segment(whole[:40], 1, len(whole))


def test_offloading_leaves_no_length():
    packet = bytearray(tcp(PILE, GATEWAY, 1, b"abc"))
    packet[2:4] = b"\0\0"
    assert _segment(bytes(packet), 101).data == b"abc"


def test_fragments_are_told():
    packet = bytearray(tcp(PILE, GATEWAY, 1, b"abc"))
    packet[6:8] = b"\x20\x00"
    assert "fragments" in _segment(bytes(packet), 101)
    six = bytearray(tcp(*V6, 1, b"abc"))
    six[6] = 44
    six[42:44] = b"\x00\x09"
    assert "fragments" in _segment(bytes(six), 101)


@pytest.mark.parametrize(
    ("link_type", "data"),
    [
        (1, b""),
        (1, bytes(12) + b"\x08\x06" + bytes(28)),
        (1, bytes(13)),
        (113, bytes(40)),
        (276, bytes(40)),
        (101, b"\x00" * 40),
        (101, tcp(PILE, GATEWAY, 1)[:9] + b"\x11" + bytes(30)),
        (101, tcp(*V6, 1)[:6] + b"\x11" + bytes(60)),
    ],
)
def test_other_traffic_is_nothing(link_type, data):
    assert _segment(data, link_type) is None
