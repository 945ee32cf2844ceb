"""Frames, logs and the machine, from the command line."""

import json

from tests.support.commandline import pilegate


def test_states_come_from_the_table():
    assert "record" in pilegate("states").out.lower()
    assert pilegate("states", "--mermaid").out.startswith("stateDiagram-v2")


def test_decode_one_frame():
    done = pilegate("decode", "680C000000025503141278230500DA4C", "--json")
    assert done.status == 0
    shown = json.loads(done.out)
    assert (shown["type"], shown["crc"], shown["fields"]["result"]) == ("0x02", "modbus-lo-hi", 0)


def test_the_dissector_is_printed_or_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    printed = pilegate("dissector").out
    assert "local FRAMES = {[1] = " in printed
    done = pilegate("dissector", "--install")
    path = tmp_path / ".local" / "lib" / "wireshark" / "plugins" / "pilegate.lua"
    assert (done.status, done.out) == (0, "")
    assert f"written to {path}" in done.err
    assert path.read_text(encoding="utf-8") == printed
