"""Published frames, read where they lie; nothing of them is kept here."""

import io
import json
import os
from pathlib import Path

import pytest

from gateway.decode import DONE, WITH_FINDINGS, decode_sources
from protocol.dialects.ykc_wire import read_frame, render_fields, write_frame
from protocol.wire import BAD

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("PILEGATE_VECTORS", ROOT.parent / "shared" / "vectors"))
FILE = FOLDER / "ykc_frames.jsonl"


def vectors():
    if not FILE.is_file():
        return [
            pytest.param(None, id="absent", marks=pytest.mark.skip(reason="published vectors: not run, folder absent"))
        ]
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [pytest.param(vector, id=vector["name"]) for vector in map(json.loads, lines)]


@pytest.mark.parametrize("vector", vectors())
def test_a_published_frame_decodes_to_its_values_and_back(vector):
    frame = bytes.fromhex(vector["frame_hex"])
    options = frozenset({vector["dialect"]} if vector.get("dialect") == "balance-be" else ())
    wire = read_frame(frame, options)
    assert wire.crc == vector["crc"]
    assert f"0x{wire.type:02X}" == vector["type"]
    assert wire.direction == vector["direction"]
    assert render_fields(wire) == vector["fields"]
    if wire.crc == BAD:
        assert wire.crc_expected in vector["note"]
        assert f"expected {wire.crc_expected}" in wire.error
        again = write_frame(wire.type, wire.raw, sequence=wire.sequence, layout=wire.layout)
        assert again[:-2] == frame[:-2]
    else:
        assert wire.error is None
        assert write_frame(wire.type, wire.raw, sequence=wire.sequence, crc=wire.crc, layout=wire.layout) == frame


@pytest.mark.parametrize("vector", vectors())
def test_decode_prints_a_published_frame_as_its_source_tells_it(vector):
    options = frozenset({vector["dialect"]} if vector.get("dialect") == "balance-be" else ())
    out, err = io.StringIO(), io.StringIO()
    status = decode_sources([vector["frame_hex"]], as_json=True, options=options, out=out, err=err)
    found = json.loads(out.getvalue())
    assert status == (WITH_FINDINGS if vector["crc"] == BAD else DONE)
    assert {key: found[key] for key in ("type", "direction", "crc", "fields")} == {
        key: vector[key] for key in ("type", "direction", "crc", "fields")
    }
    assert list(found["fields"]) == list(vector["fields"])
    assert (found["error"] is None) is (vector["crc"] != BAD)
