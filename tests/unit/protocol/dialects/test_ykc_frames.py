"""Every declared frame, against a frame made by hand with its fields typed from the tables of the protocol."""

import pytest

from protocol.dialects import ykc_frames
from protocol.dialects.ykc_frames import (
    AUTHORISATION_BIG,
    DOWN,
    FRAMES,
    KNOWN,
    RECORD,
    RECORD_FIVE,
    RECORD_METER4,
    RECORD_V17,
    UP,
    layout_of,
)
from protocol.dialects.ykc_wire import BAD, HIGH_FIRST, read_frame, render_fields, write_frame
from protocol.framer import Framer
from protocol.layout import Layout
from tests.support.frames import fixtures, params
from tests.support.wire import crc16


def read(fixture):
    frame = bytes.fromhex(fixture["frame_hex"])
    return frame, read_frame(frame, frozenset(fixture.get("options", ())))


@pytest.mark.parametrize("fixture", params("ykc"))
def test_a_frame_decodes_to_the_fields_typed_beside_it(fixture):
    _, wire = read(fixture)
    assert (f"0x{wire.type:02X}", wire.direction, wire.crc) == (fixture["type"], fixture["direction"], fixture["crc"])
    assert (wire.code, wire.error) == (fixture.get("code"), fixture.get("error"))
    assert render_fields(wire) == fixture["fields"]
    assert (wire.layout.name if wire.layout and not wire.enc else None) == fixture["layout"]


@pytest.mark.parametrize("fixture", params("ykc"))
def test_a_frame_carries_the_checksum_it_says(fixture):
    frame = bytes.fromhex(fixture["frame_hex"])
    right = crc16(frame[2:-2]).to_bytes(2, "big" if fixture["crc"] == HIGH_FIRST else "little")
    assert (frame[-2:] == right) is (fixture["crc"] != BAD)
    if fixture["crc"] == BAD:
        assert fixture["crc_expected"] == right.hex().upper()


@pytest.mark.parametrize("fixture", [one for one in params("ykc") if "error" not in one.values[0]])
def test_its_values_make_the_same_bytes_again(fixture):
    frame, wire = read(fixture)
    again = write_frame(wire.type, wire.raw, sequence=wire.sequence, crc=wire.crc, layout=wire.layout)
    if wire.note:
        again = again[:1] + bytes((len(wire.body),)) + again[2:]
    assert again == frame


@pytest.mark.parametrize("fixture", [one for one in params("ykc") if "error" not in one.values[0]])
def test_a_framer_cuts_it_whole(fixture):
    frame = bytes.fromhex(fixture["frame_hex"])
    [cut] = Framer(KNOWN).feed(frame)
    assert (cut.data, cut.reason, cut.is_high_first) == (frame, "", fixture["crc"] == HIGH_FIRST)


def declared():
    for kind, (_, usual, exact) in FRAMES.items():
        for layout in (usual, *exact.values()):
            yield kind, layout.name
    yield 0x32, AUTHORISATION_BIG.name


def shown():
    return {(int(fixture["type"], 16), fixture["layout"]) for fixture in fixtures("ykc") if "error" not in fixture}


def test_every_declared_type_and_layout_has_a_frame():
    missing = sorted(f"0x{kind:02X} {layout}" for kind, layout in set(declared()) - shown())
    assert not missing, f"put a frame with its fields into fixtures/frames/ykc/ for: {missing}"


def test_every_layout_that_is_declared_is_the_layout_of_some_type():
    layouts = {layout.name for name, layout in vars(ykc_frames).items() if isinstance(layout, Layout)}
    assert layouts == {name for _, name in declared()}


def test_fixtures_have_names_of_their_own():
    names = [fixture["name"] for fixture in fixtures("ykc")]
    assert len(names) == len(set(names))


def test_both_byte_orders_and_both_directions_are_shown():
    seen = {(fixture["crc"], fixture["direction"]) for fixture in fixtures("ykc") if "error" not in fixture}
    assert seen == {(order, way) for order in ("modbus-lo-hi", "modbus-hi-lo") for way in ("up", "down")}


# -- which layout ---------------------------------------------------------------------------------------


def test_odd_types_belong_to_piles_and_even_ones_to_gateways():
    against_the_rule = {kind for kind, (way, *_) in FRAMES.items() if (way == UP) is not (kind % 2 == 1)}
    assert against_the_rule == {0x85}
    assert {way for way, *_ in FRAMES.values()} == {UP, DOWN}


@pytest.mark.parametrize(
    ("size", "layout"),
    [(158, RECORD), (156, RECORD_METER4), (160, RECORD), (174, RECORD_FIVE), (201, RECORD_V17), (300, RECORD)],
)
def test_the_length_of_a_record_tells_its_layout(size, layout):
    assert layout_of(0x3B, size) is layout


def test_the_sizes_of_records_are_those_of_the_tables():
    assert [one.size for one in (RECORD, RECORD_METER4, RECORD_FIVE, RECORD_V17)] == [158, 156, 174, 201]


def test_an_unknown_type_has_no_layout():
    assert layout_of(0x71, 24) is None


def test_only_a_listed_pile_gets_big_endian_balances():
    assert layout_of(0x32, 38) is not AUTHORISATION_BIG
    assert layout_of(0x32, 38, frozenset({"balance-be"})) is AUTHORISATION_BIG
    assert layout_of(0x32, 44, frozenset({"balance-be"})) is not AUTHORISATION_BIG


# bytes of the body by type, as the overview of the protocol lists them
SIZES = {
    0x01: 30, 0x02: 8, 0x03: 9, 0x04: 9, 0x05: 9, 0x06: 10, 0x09: 7, 0x0A: 90, 0x12: 8, 0x13: 60, 0x15: 73, 0x17: 45,
    0x19: 39, 0x1B: 32, 0x1D: 28, 0x21: 28, 0x23: 44, 0x25: 31, 0x31: 51, 0x32: 38, 0x33: 26, 0x34: 44, 0x35: 10,
    0x36: 8, 0x3B: 158, 0x3D: 201, 0x40: 17, 0x41: 16, 0x42: 20, 0x43: 9, 0x44: 8, 0x45: 7, 0x46: 8, 0x47: 7, 0x48: 8,
    0x51: 8, 0x52: 9, 0x55: 14, 0x56: 14, 0x57: 8, 0x58: 90, 0x61: 16, 0x62: 13, 0x63: 13, 0x85: 98, 0x91: 8, 0x92: 8,
    0x93: 8, 0x94: 94, 0xA1: 58, 0xA2: 44, 0xA3: 33, 0xA4: 50, 0xF0: 9, 0xF1: 8,
}  # fmt: skip


def test_layouts_have_the_sizes_of_the_overview():
    assert {kind: FRAMES[kind][1].size for kind in SIZES} == SIZES
    assert set(FRAMES) - set(SIZES) == {0x39, 0x3F}
