import io
import json

import pytest

from gateway.framelog import LogDamage, LogLine, TextLogWriter, instant_ms, instant_text
from gateway.framelog.text import LINE_BYTES_MAX, read_text

GOOD = {"at": "2026-03-03T11:40:16.074+08:00", "link": "10.0.0.5:4001", "dir": "up", "hex": "680C"}
GOOD_MS = 1_772_509_216_074


def _read(*lines, chunk=None):
    data = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    chunks = [data] if chunk is None else [data[i : i + chunk] for i in range(0, len(data), chunk)]
    return list(read_text("a.jsonl", chunks))


def test_a_line_becomes_a_log_line():
    (line,) = _read(GOOD)
    assert line == LogLine(GOOD_MS, "10.0.0.5:4001", "up", b"\x68\x0c", None, "a.jsonl", 0)


def test_events_protocol_and_unknown_keys():
    opened = {"at": GOOD["at"], "link": "x", "event": "open", "protocol": "ykc", "note": [1]}
    closed = {"at": GOOD["at"], "link": "x", "event": "close", "dir": "up"}
    kinds = [(line.kind, line.data, line.protocol) for line in _read(opened, closed)]
    assert kinds == [("open", b"", "ykc"), ("close", b"", None)]


@pytest.mark.parametrize("hex_text", ["68 0c 00", "680C00", "0x68 0x0C 0x00", "68-0c-00", "68:0C:00", "68,0c,00"])
def test_spellings_of_hex(hex_text):
    (line,) = _read({**GOOD, "hex": hex_text})
    assert line.data == b"\x68\x0c\x00"


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-03-03T11:40:16.074+08:00", GOOD_MS),
        ("2026-03-03T03:40:16.074Z", GOOD_MS),
        ("2026-03-03t03:40:16.074z", GOOD_MS),
        ("2026-03-03 11:40:16.074+0800", GOOD_MS),
        ("2026-03-03 11:40:16,074 +08:00", GOOD_MS),
        ("2026-03-03T11:40:16.074999+08", GOOD_MS),
        ("2026-03-03T11:40:16.074999999+08:00", GOOD_MS),
        ("20260303T034016.074Z", GOOD_MS),
        ("2026-03-03T03:40:16Z", GOOD_MS - 74),
        ("2026-03-02T22:40-05:00", GOOD_MS - 16_074),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_spellings_of_time(text, at_ms):
    assert instant_ms(text) == at_ms


@pytest.mark.parametrize("text", ["2026-03-03T11:40:16", "2026-03-03", "", "yesterday", "2026-13-01T00:00:00Z"])
def test_times_that_are_refused(text):
    with pytest.raises(ValueError, match=r"."):
        instant_ms(text)


def test_time_as_text_and_back():
    assert instant_text(GOOD_MS, 480) == "2026-03-03T11:40:16.074+08:00"
    assert instant_text(GOOD_MS) == "2026-03-03T03:40:16.074+00:00"
    assert instant_ms(instant_text(GOOD_MS, -210)) == GOOD_MS


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"at": "2026', "line 2: not JSON"),
        (b"[1, 2]", "line 2: not a JSON object"),
        (b"7", "line 2: not a JSON object"),
        (b"null", "line 2: not a JSON object"),
        (b"\xff\xfe", "line 2: not UTF-8: byte 0xFF at column 1"),
        (b"[" * 100_000, "line 2: not JSON"),
        (b"1" * 5000, "line 2: "),
        ({**GOOD, "at": "2026-03-03T11:40:16"}, "has no offset from UTC"),
        ({**GOOD, "at": 5}, "at: not a text"),
        ({**GOOD, "at": "0001-01-01T00:00:00+23:59"}, ""),
        ({**GOOD, "hex": "68zz"}, "'z' is not a hex digit"),
        ({**GOOD, "hex": "680"}, "half a byte is left over"),
        ({**GOOD, "hex": None}, "hex: not a text"),
        ({**GOOD, "dir": "left"}, "dir is 'left', not up or down"),
        ({**GOOD, "dir": ["up"]}, "dir: not a text"),
        ({**GOOD, "event": "pause"}, "event is 'pause'"),
        ({**GOOD, "event": {}}, "event: not a text"),
        ({**GOOD, "link": None}, "link is not a text"),
        ({**GOOD, "protocol": 4}, "protocol is not a text"),
        ({key: value for key, value in GOOD.items() if key != "link"}, "the key 'link' is missing"),
        ({key: value for key, value in GOOD.items() if key != "hex"}, "the key 'hex' is missing"),
    ],
)
def test_a_bad_line_is_damage_and_reading_goes_on(bad, reason):
    first, damage, last = _read(GOOD, bad, GOOD)
    assert isinstance(first, LogLine)
    assert isinstance(last, LogLine)
    if not isinstance(damage, LogLine):
        assert damage.position == len(json.dumps(GOOD)) + 1
        assert reason in damage.reason
    else:
        assert reason == ""


def test_numbers_name_links_too():
    (line,) = _read({**GOOD, "link": 7})
    assert line.link == "7"


def test_blank_lines_crlf_and_a_byte_order_mark_are_nothing():
    text = json.dumps(GOOD).encode()
    (line,) = read_text("a", [b"\xef\xbb\xbf" + b"\r\n" + text + b"\r\n" + b"  \r\n"])
    assert line.position == 5


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1000])
def test_chunks_do_not_matter(chunk):
    lines = [GOOD, b"x", {**GOOD, "link": "ä"}, GOOD]
    assert _read(*lines, chunk=chunk) == _read(*lines)


def test_a_last_line_without_end_counts():
    (line,) = read_text("a", [json.dumps(GOOD).encode()])
    assert isinstance(line, LogLine)


def test_a_line_that_never_ends_is_one_damage_and_bounded():
    huge = b"x" * (1 << 20)
    chunks = [json.dumps(GOOD).encode() + b"\n", *([huge] * 9), b"\n" + json.dumps(GOOD).encode() + b"\n"]
    first, damage, last = read_text("a", chunks)
    assert isinstance(damage, LogDamage)
    assert f"longer than {LINE_BYTES_MAX}" in damage.reason
    assert last.position == first.position + len(json.dumps(GOOD)) + 1 + 9 * len(huge) + 1


def test_what_the_writer_writes_is_read_back():
    stream = io.StringIO()
    writer = TextLogWriter(stream, utc_offset_min=480)
    writer.append(GOOD_MS, "10.0.0.5:4001", "open", protocol="ykc")
    writer.append(GOOD_MS, "10.0.0.5:4001", "up", b"\x68\x0c")
    writer.append(GOOD_MS + 1, "10.0.0.5:4001", "down", b"")
    writer.append(GOOD_MS + 2, "10.0.0.5:4001", "close")
    lines = stream.getvalue().splitlines()
    assert json.loads(lines[1]) == GOOD
    read = [(line.at_ms, line.kind, line.data, line.protocol) for line in _read(*(line.encode() for line in lines))]
    assert read == [
        (GOOD_MS, "open", b"", "ykc"),
        (GOOD_MS, "up", b"\x68\x0c", None),
        (GOOD_MS + 1, "down", b"", None),
        (GOOD_MS + 2, "close", b"", None),
    ]
