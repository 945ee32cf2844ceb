import pytest

from gateway.framelog import LogDamage, read_log, tcpdump
from tests.support.packets import (
    ACK,
    FIN,
    GATEWAY,
    PILE,
    RST,
    SYN,
    cooked,
    cooked2,
    ethernet,
    pcap,
    pcapng,
    tcp,
)
from tests.support.wire import frame, heartbeat, login

AT_MS = 1_772_509_216_000
LOGIN = login("55031412782305")
BEAT = heartbeat("55031412782305")
REPLY = frame(0x04, bytes.fromhex("55031412782305") + b"\x01\x00")
NAME = "10.0.0.5:40001"


def _brief(lines):
    return [(line.kind, line.data) if not isinstance(line, LogDamage) else ("damage", line.reason) for line in lines]


@pytest.fixture
def read(tmp_path):
    def _read(*packets, make=pcap, ports=(), **keys):
        path = tmp_path / "a.pcap"
        path.write_bytes(make([(AT_MS + i, packet) for i, packet in enumerate(packets)], **keys))
        return list(read_log(path, pile_ports=ports))

    return _read


def _opening(pile=PILE, gateway=GATEWAY, start=100, back=900):
    return [
        tcp(pile, gateway, start, flags=SYN),
        tcp(gateway, pile, back, flags=SYN | ACK, ack=start + 1),
        tcp(pile, gateway, start + 1, flags=ACK, ack=back + 1),
    ]


@pytest.mark.parametrize(
    ("make", "link_type", "wrap"),
    [(pcap, 1, ethernet), (pcapng, 113, cooked), (pcapng, 276, cooked2), (pcap, 101, bytes)],
)
@pytest.mark.parametrize("ports", [(), (8767,)])
def test_a_whole_conversation(read, make, link_type, wrap, ports):
    packets = [
        *_opening(),
        tcp(PILE, GATEWAY, 101, BEAT[:5]),
        tcp(PILE, GATEWAY, 106, BEAT[5:]),
        tcp(GATEWAY, PILE, 901, REPLY),
        tcp(PILE, GATEWAY, 101 + len(BEAT), flags=FIN | ACK),
        tcp(GATEWAY, PILE, 901 + len(REPLY), flags=FIN | ACK),
        tcp(PILE, GATEWAY, 102 + len(BEAT), flags=ACK),
    ]
    lines = read(*map(wrap, packets), make=make, link_type=link_type, ports=ports)
    assert _brief(lines) == [
        ("open", b""),
        ("up", BEAT[:5]),
        ("up", BEAT[5:]),
        ("down", REPLY),
        ("close", b""),
    ]
    assert {line.link for line in lines} == {NAME}
    assert [line.at_ms - AT_MS for line in lines] == [0, 3, 4, 5, 7]


def test_retransmitted_reordered_and_overlapping_segments(read):
    lines = read(
        *_opening(),
        tcp(PILE, GATEWAY, 101, LOGIN[:10]),
        tcp(PILE, GATEWAY, 101, LOGIN[:10]),
        tcp(PILE, GATEWAY, 121, LOGIN[20:]),
        tcp(PILE, GATEWAY, 100, flags=SYN),
        tcp(PILE, GATEWAY, 105, LOGIN[4:22]),
        tcp(PILE, GATEWAY, 101 + len(LOGIN), BEAT),
    )
    assert b"".join(line.data for line in lines) == LOGIN + BEAT
    assert [line.kind for line in lines] == ["open", "up", "up", "up", "up"]


def test_a_gap_is_told_and_reading_goes_on(read):
    lines = read(
        *_opening(),
        tcp(PILE, GATEWAY, 101, LOGIN),
        tcp(PILE, GATEWAY, 151, BEAT),
        tcp(PILE, GATEWAY, 151 + len(BEAT), flags=RST),
    )
    lost = 151 - 101 - len(LOGIN)
    assert _brief(lines) == [
        ("open", b""),
        ("up", LOGIN),
        ("damage", f"{NAME}: {lost} bytes are missing here (up), the capture lacks them"),
        ("up", BEAT),
        ("close", b""),
    ]


def test_a_confirmed_gap_is_given_up_after_a_second(tmp_path):
    path = tmp_path / "a.pcap"
    packets = [(AT_MS, p) for p in _opening()]
    packets += [
        (AT_MS + 10, tcp(PILE, GATEWAY, 111, BEAT)),
        (AT_MS + 20, tcp(GATEWAY, PILE, 901, REPLY, ack=111 + len(BEAT))),
        (AT_MS + 1_100, tcp(GATEWAY, PILE, 901 + len(REPLY), REPLY, ack=111 + len(BEAT))),
    ]
    path.write_bytes(pcap(packets))
    lines = list(read_log(path, pile_ports=[8767]))
    assert [kind for kind, _ in _brief(lines)] == ["open", "down", "down", "damage", "up"]


def test_the_snap_length_is_told_and_the_stream_goes_on(read):
    cut = 40 + 4 + 20
    lines = read(
        *_opening(),
        tcp(PILE, GATEWAY, 101, LOGIN),
        tcp(PILE, GATEWAY, 101 + len(LOGIN), BEAT),
        snap=cut,
    )
    assert _brief(lines) == [
        ("open", b""),
        ("up", LOGIN[:20]),
        ("damage", f"{NAME}: the snap length cut {len(LOGIN) - 20} bytes off a packet (up)"),
        ("up", BEAT),
    ]


def test_other_ports_are_passed_over(read):
    other = ("10.0.0.1", 22)
    lines = read(tcp(PILE, other, 1, LOGIN), tcp(PILE, GATEWAY, 1, LOGIN), ports=[8767])
    assert _brief(lines) == [("up", LOGIN)]


def test_other_talk_is_passed_over_without_ports(read):
    web = ("10.0.0.9", 50123)
    http = b"POST /hook HTTP/1.1\r\nhost: h\r\n" + b"h" * 5000
    lines = read(
        *_opening(web, GATEWAY),
        tcp(web, GATEWAY, 101, http),
        tcp(GATEWAY, web, 901, b"HTTP/1.1 200 OK\r\n\r\n"),
        *_opening(),
        tcp(PILE, GATEWAY, 101, BEAT),
        tcp(web, GATEWAY, 101 + len(http), BEAT),
    )
    assert _brief(lines) == [("open", b""), ("up", BEAT)]
    assert lines[0].link == NAME


def test_noise_before_the_first_frame_is_kept(read):
    lines = read(
        *_opening(),
        tcp(PILE, GATEWAY, 101, b"\xff\xfe"),
        tcp(PILE, GATEWAY, 103, BEAT[:3]),
        tcp(PILE, GATEWAY, 106, BEAT[3:]),
    )
    assert _brief(lines) == [("open", b""), ("up", b"\xff\xfe"), ("up", BEAT[:3]), ("up", BEAT[3:])]
    assert [line.at_ms - AT_MS for line in lines] == [0, 3, 4, 5]


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        (tcp(PILE, GATEWAY, 5, BEAT), "up"),
        (tcp(GATEWAY, PILE, 5, REPLY), "down"),
        (tcp(("10.0.0.1", 60001), ("10.0.0.5", 2001), 5, REPLY), "down"),
        (tcp(PILE, GATEWAY, 5, b"\0" + BEAT), "up"),
        (tcp(GATEWAY, PILE, 5, b"\0" + REPLY), "down"),
    ],
)
def test_the_direction_of_a_connection_older_than_the_capture(read, packet, kind):
    assert [line.kind for line in read(packet)] == [kind]


def test_a_known_server_decides_the_direction(read):
    high = ("10.0.0.1", 60000)
    lines = read(*_opening(PILE, high), tcp(("10.0.0.6", 2000), high, 1, b"\0" + BEAT))
    assert [(line.kind, line.link) for line in lines] == [("up", "10.0.0.6:2000")]


def test_half_a_frame_at_the_end_of_the_capture_is_kept(read):
    assert _brief(read(*_opening(), tcp(PILE, GATEWAY, 101, BEAT[:4]))) == [("open", b""), ("up", BEAT[:4])]


def test_a_port_used_again_is_a_new_connection(read):
    lines = read(
        *_opening(),
        tcp(PILE, GATEWAY, 101, BEAT),
        *_opening(start=70_000),
        tcp(PILE, GATEWAY, 70_001, BEAT),
    )
    assert [line.kind for line in lines] == ["open", "up", "close", "open", "up"]


def test_one_port_to_two_gateways_is_two_links(read):
    other = ("10.0.0.2", 8767)
    lines = read(tcp(PILE, GATEWAY, 1, BEAT), tcp(PILE, other, 1, BEAT))
    assert [line.link for line in lines] == [NAME, f"{NAME}>10.0.0.2:8767"]


def test_late_segments_of_a_closed_connection_are_nothing(read):
    lines = read(
        *_opening(),
        tcp(PILE, GATEWAY, 101, BEAT),
        tcp(PILE, GATEWAY, 101 + len(BEAT), flags=RST),
        tcp(PILE, GATEWAY, 101, BEAT),
    )
    assert [line.kind for line in lines] == ["open", "up", "close"]


def test_the_table_of_connections_is_bounded(read, monkeypatch):
    monkeypatch.setattr(tcpdump, "_CONNECTIONS_MAX", 3)
    piles = [("10.0.1.1", 1000 + number) for number in range(9)]
    lines = read(*(tcp(pile, GATEWAY, 1, BEAT) for pile in piles), *(tcp(pile, GATEWAY, 18, BEAT) for pile in piles))
    assert len(lines) == 18


def test_ipv6_names(read):
    lines = read(tcp(("fe80::5", 40001), ("fe80::1", 8767), 1, BEAT))
    assert lines[0].link == "[fe80::5]:40001"


def test_a_link_type_that_cannot_be_read_is_told_once(read):
    lines = read(b"x", b"y", link_type=195)
    assert _brief(lines) == [("damage", "packets of link type 195 cannot be read")]


def test_damage_of_the_file_comes_last(tmp_path):
    path = tmp_path / "a.pcap"
    whole = pcap([(AT_MS, tcp(PILE, GATEWAY, 1, BEAT)), (AT_MS, tcp(PILE, GATEWAY, 40, BEAT))])
    path.write_bytes(whole[:-1])
    assert [kind for kind, _ in _brief(read_log(path))] == ["up", "damage"]
    packet = tcp(PILE, GATEWAY, 40, BEAT)
    path.write_bytes(pcap([(AT_MS, tcp(PILE, GATEWAY, 1, BEAT)), (AT_MS, packet)]) + b"\0")
    assert [kind for kind, _ in _brief(read_log(path))] == ["up", "damage", "up", "damage"]
