"""Every declared AA F5 body, against a frame put together from the field tables with its values typed beside it."""

import pytest

from protocol.dialects import aaf5_bodies, aaf5_frames
from protocol.dialects.aaf5_frames import DOWN, FORMS, KNOWN, PROFILES, UP, form_of
from protocol.dialects.aaf5_wire import read_frame, render_fields, write_frame
from protocol.framer import Framer
from protocol.layout import Layout
from tests.support.frames import fixtures, params

GOOD = [one for one in params("aaf5") if "error" not in one.values[0]]


def read(fixture):
    frame = bytes.fromhex(fixture["frame_hex"])
    return frame, read_frame(frame, fixture["direction"], fixture["profile"])


@pytest.mark.parametrize("fixture", params("aaf5"))
def test_a_frame_decodes_to_the_values_typed_beside_it(fixture):
    _, wire = read(fixture)
    assert (str(wire.type), wire.crc) == (fixture["type"], fixture["crc"])
    assert (wire.code, wire.error) == (fixture.get("code"), fixture.get("error"))
    assert render_fields(wire) == fixture["fields"]
    assert (wire.layout.name if wire.layout and not wire.enc & 0x80 else None) == fixture["layout"]


@pytest.mark.parametrize("fixture", GOOD)
def test_its_values_make_the_same_bytes_again(fixture):
    frame, wire = read(fixture)
    assert write_frame(wire.type, wire.raw, wire.layout, sequence=wire.sequence, info=wire.enc) == frame


@pytest.mark.parametrize("fixture", GOOD)
def test_a_framer_cuts_it_whole_from_behind_a_false_start(fixture):
    frame = bytes.fromhex(fixture["frame_hex"])
    false_start = b"\xaa\xf5\x00\x10"
    cuts = Framer(KNOWN[fixture["direction"]], 8192).feed(false_start + frame)
    assert frame in [cut.data for cut in cuts if not cut.reason]


def test_every_body_that_is_declared_has_a_frame():
    declared = {
        value.name
        for module in (aaf5_bodies, aaf5_frames)
        for value in vars(module).values()
        if isinstance(value, Layout)
    }
    assert declared == {fixture["layout"] for fixture in fixtures("aaf5")} - {None}


def test_every_command_has_a_frame():
    shown = {(fixture["direction"], int(fixture["type"])) for fixture in fixtures("aaf5")}
    assert set(FORMS) <= shown


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_knows_what_every_link_needs(profile):
    assert form_of(UP, 106, bytes(96), profile) is not None
    assert form_of(DOWN, 105, bytes(142), profile) is not None
    assert form_of(UP, 102, bytes(38), profile) is not None


def test_direction_is_told_by_the_table_and_not_by_parity():
    assert form_of(UP, 109, bytes(199), "lv34").layout is aaf5_bodies.STATUS_LV34
    assert form_of(UP, 109, bytes(199), "sh52") is None
    assert form_of(DOWN, 12, bytes(102), "op30").layout is aaf5_frames.NAMED_TARIFF
    assert form_of(DOWN, 12, bytes(102), "sh52") is None
