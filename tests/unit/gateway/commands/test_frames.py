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
