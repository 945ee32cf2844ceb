"""Published and constructed AA F5 frames, read where they lie; nothing of them is kept here."""

import json
import os
from pathlib import Path

import pytest

from protocol.dialects.aaf5_frames import KNOWN, SH26, SH52
from protocol.dialects.aaf5_wire import SUM, read_frame, render_fields, write_frame
from protocol.framer import Framer
from protocol.wire import BAD

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("PILEGATE_VECTORS", ROOT.parent / "shared" / "vectors"))
FILE = FOLDER / "aaf5_frames.jsonl"
PROFILES = {"": None, "sh": SH52, "sh28": SH26, "sh26x": SH26}


def vectors():
    if not FILE.is_file():
        return [
            pytest.param(None, id="absent", marks=pytest.mark.skip(reason="published vectors: not run, folder absent"))
        ]
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [pytest.param(vector, id=vector["name"]) for vector in map(json.loads, lines)]


def profile_of(vector):
    return PROFILES.get(vector["profile"], vector["profile"])


@pytest.mark.parametrize("vector", vectors())
def test_a_known_frame_decodes_to_its_values_and_back(vector):
    frame = bytes.fromhex(vector["frame_hex"])
    wire = read_frame(frame, vector["direction"], profile_of(vector))
    assert wire.type == vector["cmd"]
    if not vector["len_ok"]:
        assert wire.code == "length"
        return
    if not vector["sum_ok"]:
        assert (wire.crc, wire.code) == (BAD, "checksum")
        return
    assert wire.crc == SUM
    if wire.enc & 0x80:
        assert wire.code == "encrypted"
        return
    if vector["cmd"] == 9998:
        assert wire.code == "unknown_type"
        return
    assert wire.error is None
    shown = render_fields(wire)
    assert {key: shown.get(key) for key in vector["fields"]} == vector["fields"]
    assert write_frame(wire.type, wire.raw, wire.layout, sequence=wire.sequence, info=wire.enc) == frame


@pytest.mark.parametrize("vector", vectors())
def test_a_known_frame_is_cut_from_a_stream_or_refused(vector):
    frame = bytes.fromhex(vector["frame_hex"])
    is_whole = vector["sum_ok"] and vector["len_ok"]
    good = bytes.fromhex("aaf50f0010006500000000000200") + b"\x67"
    cuts = Framer(KNOWN[vector["direction"]]).feed(b"\x00noise" + frame + good)
    taken = [cut.data for cut in cuts if not cut.reason]
    assert taken == ([frame, good] if is_whole else [good])
