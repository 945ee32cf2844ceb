"""The envelope, and raw values as people read them."""

import pytest

from protocol.dialects.ykc_frames import AUTHORISATION_BIG, HEARTBEAT
from protocol.dialects.ykc_wire import HIGH_FIRST, enclose, read_frame, render_fields, vin_text, write_frame
from protocol.errors import LocalProtocolError
from tests.support.wire import bcd, crc16, frame, heartbeat

PILE = "44030512003301"
GOOD = heartbeat(PILE, 1)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no bytes"),
        (b"\x13" + GOOD[1:], "byte 0 is 0x13, a frame starts with 0x68"),
        (GOOD[:7], "only 7 bytes, the shortest frame has 8"),
        (GOOD[:-1], "the length byte 0x0D asks for 17 bytes, 16 are here: 1 bytes are missing"),
        (
            heartbeat(PILE)[:1] + b"\x09" + GOOD[2:-1] + b"\x00",
            "the length byte 0x09 asks for 13 bytes, 17 are here: 4 bytes too many",
        ),
        (GOOD + b"\x00", "the length byte 0x0D asks for 17 bytes, 18 are here: 1 bytes too many"),
        # zeros behind a checksum leave it right, but a heartbeat without them is long enough
        (GOOD + b"\x00" * 4, "the length byte 0x0D asks for 17 bytes, 21 are here: 4 bytes too many"),
    ],
)
def test_bytes_that_are_no_frame_say_what_is_missing_or_too_much(data, text):
    wire = read_frame(data)
    assert (wire.code, wire.error, wire.crc) == ("length", text, "bad")
    assert render_fields(wire) == {}


def test_what_can_be_told_of_a_cut_off_frame_is_told():
    wire = read_frame(GOOD[:-5])
    assert (wire.type, wire.direction) == (0x03, "up")
    assert read_frame(b"\x68\x20\x00\x00\x00\xee").direction is None


def test_a_length_of_the_body_alone_is_noted():
    covered = bytes(3) + b"\x04" + bcd(PILE) + b"\x01\x00"
    data = bytes((0x68, 9)) + covered + crc16(covered).to_bytes(2, "little")
    wire = read_frame(data)
    assert wire.error is None
    assert wire.note == "the length byte 0x09 counts the body alone, 0x0D is right"
    assert render_fields(wire) == {"pile_no": PILE, "gun": 1, "ack": 0}


def test_a_wrong_checksum_comes_before_what_else_is_wrong():
    data = frame(0x3B, bytes(10))
    wire = read_frame(data[:-2] + b"\0\0")
    assert wire.code == "checksum"
    assert wire.error.startswith(
        f"checksum is 0000, expected {data[-2:].hex().upper()} (low byte first); the body ends"
    )


def test_the_sequence_is_echoed_verbatim():
    wire = read_frame(frame(0x03, bcd(PILE) + b"\x01\x00", sequence=0x1234))
    assert wire.sequence == 0x1234
    assert write_frame(0x04, {"pile_no": PILE, "gun": 1, "ack": 0}, sequence=wire.sequence)[2:4] == b"\x34\x12"


def test_a_frame_is_written_in_either_byte_order():
    raw = {"pile_no": PILE, "gun": 1, "gun_status": 0}
    assert write_frame(0x03, raw) == GOOD
    assert write_frame(0x03, raw, crc=HIGH_FIRST) == GOOD[:-2] + GOOD[:-3:-1]


def test_a_layout_of_its_own_may_be_named():
    raw = {"serial": "0" * 32, "pile_no": PILE, "gun": 1, "logic_card": "0" * 16}
    raw |= {"balance_yuan": 0x01020304, "auth_ok": 1, "fail_reason": 0}
    assert write_frame(0x32, raw, layout=AUTHORISATION_BIG)[38:42] == b"\x01\x02\x03\x04"


def test_a_flag_may_be_set():
    assert write_frame(0x03, HEARTBEAT.read(GOOD[6:-2]), enc=1)[4] == 1


def test_an_unknown_type_is_not_written():
    with pytest.raises(LocalProtocolError, match="type 0xEE is unknown"):
        write_frame(0xEE, {})


def test_a_body_too_long_for_its_length_byte_is_not_written():
    assert len(enclose(0xF0, bytes(251))) == 259
    with pytest.raises(LocalProtocolError, match="a body of 252 bytes is too long, 251 fit"):
        enclose(0xF0, bytes(252))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (bytes(17), None),
        (b"\xff" * 17, None),
        (b"", None),
        (b"LTESTVN0000412345", "LTESTVN0000412345"),
        (b"00000" + bytes(12), "00000"),
        (b"LTEST\xc3\x28" + bytes(10), "LTEST\\xc3("),
    ],
)
def test_a_vin_is_shown_as_it_stands(raw, text):
    assert vin_text(raw) == text


def test_odd_slots_and_odd_text_are_shown_without_failing():
    body = bcd(PILE) + bytes(2) + bytes(32) + b"\0" + bytes.fromhex("00010210FF") + bytes(43)
    assert render_fields(read_frame(frame(0x0A, body)))["slots"] == "012[10][FF]" + "0" * 43
    prefix = bcd(PILE) + b"\x00\x02\xe6\xbb"
    assert render_fields(read_frame(frame(0xF0, prefix)))["prefix"] == "\\xe6\\xbb"
