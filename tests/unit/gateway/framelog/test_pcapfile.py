import struct

import pytest

from gateway.framelog import LogDamage
from gateway.framelog.pcapfile import Packet, packets
from tests.support.packets import block, pcap, pcapng

PACKETS = [(1_772_509_216_074, b"\x01" * 10), (1_772_509_216_075, b""), (1_772_509_217_000, b"\x02" * 61)]


def _read(data, chunk=None):
    chunks = [data] if chunk is None else [data[i : i + chunk] for i in range(0, len(data), chunk)]
    return list(packets("f", chunks))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "make",
    [
        pcap,
        lambda p, **k: pcap(p, is_nano=True, **k),
        pcapng,
        lambda p, **k: pcapng(p, resolution=9, **k),
        lambda p, **k: pcapng(p, resolution=3, offset_s=1_772_000_000, **k),
        lambda p, **k: pcapng(p, resolution=0x80 | 20, **k),
    ],
    ids=["micro", "nano", "ng-micro", "ng-nano", "ng-offset", "ng-binary"],
)
@pytest.mark.parametrize("chunk", [None, 1, 13])
def test_packets_come_with_time_and_bytes(make, order, chunk):
    found = _read(make(PACKETS, link_type=113, order=order), chunk)
    assert [(round(p.at_ns / 1e6), p.data) for p in found] == PACKETS
    assert {(p.link_type, p.size == len(p.data)) for p in found} == {(113, True)}


def test_positions_point_at_records():
    data = pcap(PACKETS)
    assert [p.position for p in _read(data, 7)] == [24, 24 + 26, 24 + 26 + 16]
    assert data[50 + 16 :][:16][8:12] == struct.pack("<I", 61)


def test_the_snap_length_shows_in_the_size():
    packet = _read(pcap(PACKETS, snap=4))[0]
    assert (packet.data, packet.size) == (b"\x01" * 4, 10)


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_every_cut_yields_whole_packets_and_one_damage(make):
    whole = make(PACKETS)
    good = _read(whole)
    borders = {len(whole), *(p.position for p in good)}
    for size in range(4, len(whole)):
        found = _read(whole[:size])
        told = [p for p in found if isinstance(p, LogDamage)]
        kept = [p for p in found if isinstance(p, Packet)]
        assert kept == good[: len(kept)]
        assert len(told) <= 1
        if make is pcap:
            assert len(told) == (size not in borders)
        if told:
            assert told[0].position <= size
            assert found[-1] is told[0]


def test_a_length_that_cannot_be_ends_the_reading():
    data = bytearray(pcap(PACKETS))
    data[24 + 8 : 24 + 12] = b"\xff\xff\xff\xff"
    (damage,) = _read(bytes(data))
    assert damage == LogDamage("f", 24, "a packet of 4294967295 bytes cannot be")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (block("<", 6, struct.pack("<IIIII", 3, 0, 0, 0, 0)), "does not hold what it must"),
        (block("<", 6, b"\0" * 8), "does not hold what it must"),
        (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 99, 99)), "does not hold what it must"),
        (block("<", 1, b"\0"), "does not hold what it must"),
        (struct.pack("<III", 6, 13, 13), "a block of 13 bytes cannot be"),
        (struct.pack("<IIII", 6, 16, 0, 20), "two lengths differ"),
    ],
)
def test_broken_blocks_end_the_reading(body, reason):
    found = _read(pcapng(PACKETS[:1]) + body + pcapng(PACKETS[:1]))
    assert len(found) == 2
    assert reason in found[1].reason


def test_simple_and_old_packet_blocks():
    simple = block("<", 3, struct.pack("<I", 9) + b"123456789")
    old = block("<", 2, struct.pack("<HHIIII", 0, 0, 0, 1000, 3, 3) + b"abc")
    found = _read(pcapng([], snap=4) + simple + old)
    assert [(p.data, p.size, p.at_ns) for p in found] == [(b"1234", 9, 0), (b"abc", 3, 1_000_000)]


def test_a_second_section_starts_anew():
    found = _read(pcapng(PACKETS[:1], link_type=1) + pcapng(PACKETS[:1], link_type=113, order=">"))
    assert [p.link_type for p in found] == [1, 113]


def test_what_is_no_capture_is_told():
    assert _read(b"x" * 40) == [LogDamage("f", 0, "not a capture file")]
    assert "cut off: 3 of 24" in _read(b"abc")[0].reason
