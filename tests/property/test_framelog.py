"""Frame logs: what was written is read back, however it is packed, chunked, cut or reordered."""

import io
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.framelog import LogDamage, LogLine, TextLogWriter
from gateway.framelog.capture import file_header, pack, read_capture
from gateway.framelog.pcapfile import packets
from gateway.framelog.tcpdump import read_tcpdump
from gateway.framelog.text import read_text
from tests.support.packets import GATEWAY, PILE, SYN, pcap, tcp

AT_MS = 1_772_509_216_000
kinds = st.sampled_from(["up", "down", "open", "close"])
entries = st.lists(st.tuples(st.integers(0, 4_294_967_295_999), kinds, st.binary(max_size=40)), max_size=12)


def _chunked(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


def _brief(lines):
    return [(line.at_ms, line.kind, line.data) for line in lines]


def _expected(rows):
    return [(at_ms, kind, b"" if kind in ("open", "close") else data) for at_ms, kind, data in rows]


@given(entries, st.integers(1, 200), st.integers(-720, 840))
def test_text_logs_round_trip(rows, chunk, offset_min):
    stream = io.StringIO()
    writer = TextLogWriter(stream, utc_offset_min=offset_min)
    for at_ms, kind, data in rows:
        writer.append(at_ms, "a:1", kind, data)
    assert _brief(read_text("f", _chunked(stream.getvalue().encode(), chunk))) == _expected(rows)


@given(entries, st.integers(1, 200))
def test_captures_round_trip(rows, chunk):
    whole = file_header() + b"".join(pack(at_ms, 1, kind, data) for at_ms, kind, data in rows)
    assert _brief(read_capture("f", packets("f", _chunked(whole, chunk)))) == _expected(rows)


@given(st.binary(max_size=300), st.integers(1, 100))
def test_any_bytes_end_in_lines_or_damage(data, chunk):
    for head in (b"", file_header(), pcap([]), b"\x0a\x0d\x0d\x0a"):
        chunks = _chunked(head + data, chunk)
        found = [
            *read_text("f", chunks),
            *read_capture("f", packets("f", chunks)),
            *read_tcpdump("f", packets("f", chunks)),
        ]
        assert all(isinstance(line, LogLine | LogDamage) for line in found)


@st.composite
def deliveries(draw):
    """A stream's bytes, and segments that cover it: cut anywhere, overlapping, repeated, out of order."""
    data = b"\x68\x0c\0\0\0\x03" + draw(st.binary(min_size=1, max_size=120))
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=8))})
    pieces = [(start, min(len(data), end + draw(st.integers(0, 5)))) for start, end in itertools.pairwise(cuts)]
    pieces += draw(st.lists(st.sampled_from(pieces), max_size=4))
    return data, draw(st.permutations(pieces))


@settings(deadline=None)
@given(deliveries(), st.integers(0, 2**32 - 1))
def test_segments_in_any_order_make_the_same_stream(delivery, start):
    data, pieces = delivery
    captured = [tcp(PILE, GATEWAY, start, flags=SYN)]
    captured += [tcp(PILE, GATEWAY, start + 1 + begin, data[begin:end]) for begin, end in pieces]
    whole = pcap([(AT_MS + number, packet) for number, packet in enumerate(captured)])
    lines = list(read_tcpdump("f", packets("f", [whole])))
    assert not [line for line in lines if isinstance(line, LogDamage)]
    assert b"".join(line.data for line in lines) == data
