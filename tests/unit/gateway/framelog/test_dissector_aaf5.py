"""The AA F5 half of the Wireshark dissector, held against ``decode`` by the real tshark."""

import io
import json

import pytest

from gateway.decode import decode_sources
from gateway.framelog import CaptureConfig, CaptureWriter
from gateway.framelog.dissector import install
from tests.support.frames import fixtures
from tests.support.tshark import need_tshark, tshark

AT_MS = 1_772_509_216_074
# a login would teach decode a profile, which the dissector never knows
UNSHOWN = (None, "clock_lv34", "login")
FRAMES = [fixture for fixture in fixtures("aaf5") if "error" not in fixture and fixture["layout"] not in UNSHOWN]
NAMES = ("pile_id", "gun", "serial", "card_no", "energy", "meter_start", "start_time", "dc_current", "slots", "extra")
BETWEEN = "\x1f"


@pytest.fixture
def home(tmp_path):
    need_tshark()
    install(tmp_path / "home" / ".local" / "lib" / "wireshark" / "plugins")
    return tmp_path / "home"


def test_every_frame_is_shown_as_decode_tells_it(home, tmp_path):
    folder = tmp_path / "capture"
    writer = CaptureWriter(CaptureConfig(directory=str(folder)), None)
    for number, fixture in enumerate(FRAMES):
        data = bytes.fromhex(fixture["frame_hex"])
        half = len(data) // 2
        for part in (b"\xaa\xaa" + data[:half], data[half:]):
            writer.append(AT_MS + number, 1, fixture["direction"], part, "aaf5")
    writer.close()
    [path] = folder.glob("*.pcap")
    out = io.StringIO()
    decode_sources([str(path)], as_json=True, options=frozenset(), out=out, err=io.StringIO())
    told = [each for each in map(json.loads, out.getvalue().splitlines()) if each["crc"] == "sum8"]
    assert len(told) == len(FRAMES)
    wanted = [part for name in NAMES for part in ("-e", f"aaf5.{name}")]
    form = ["-T", "fields", "-E", f"separator={BETWEEN}", "-E", "aggregator=|", "-E", "occurrence=a"]
    heads = ["-e", "aaf5.frame.command", "-e", "_ws.lua.error"]
    rows = []
    for line in tshark("-n", "-r", path, *form, *heads, *wanted, home=home).splitlines():
        command, mistake, *cells = line.split(BETWEEN)
        assert not mistake
        if command:
            rows.append((command, dict(zip(NAMES, cells, strict=True))))
    assert [command for command, _ in rows] == [each["type"] for each in told]
    for (command, shown), each in zip(rows, told, strict=True):
        for name in NAMES:
            value = each["fields"].get(name)
            text = "|".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            assert shown[name] == text, (command, name)
