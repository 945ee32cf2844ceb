"""The Wireshark dissector, held against ``decode`` by the real tshark."""

import io
import json
import random
from collections import defaultdict

import pytest

from gateway.decode import decode_sources
from gateway.framelog import CaptureConfig, CaptureWriter
from gateway.framelog.dissector import FILE_NAME, dissector_text, install, plugin_folder
from protocol.codec import checksum
from protocol.dialects.ykc_frames import FRAMES
from tests.support.frames import fixtures, good_frames
from tests.support.packets import ACK, GATEWAY, PILE, SYN, pcap, tcp
from tests.support.tshark import field_values, need_tshark, tshark
from tests.support.wire import frame, heartbeat

AT_MS = 1_772_509_216_074


@pytest.fixture
def home(tmp_path):
    need_tshark()
    install(tmp_path / "home" / ".local" / "lib" / "wireshark" / "plugins")
    return tmp_path / "home"


def captured(folder, reads):
    """A capture that the daemon's own writer wrote; ``reads`` are (link, direction, bytes)."""
    writer = CaptureWriter(CaptureConfig(directory=str(folder)), None)
    for link in sorted({link for link, _, _ in reads}):
        writer.append(AT_MS, link, "open", b"10.0.0.%d:4001" % link, None)
    for number, (link, side, data) in enumerate(reads):
        writer.append(AT_MS + number, link, side, data, "ykc")
    writer.close()
    [path] = folder.glob("*.pcap")
    return path


def flat(fields, prefix=""):
    """(name, value) of every field that ``decode`` shows, groups without their index."""
    for name, value in fields.items():
        if isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    yield from flat(item, f"{prefix}{name}.")
                else:
                    yield f"rates.{name}", item
        elif value is not None:
            yield prefix + name, str(value)


def decoded(path):
    """Every value of each field in a log, as ``decode`` tells it, and the heads of the frames."""
    out = io.StringIO()
    decode_sources([str(path)], as_json=True, options=frozenset(), out=out, err=io.StringIO())
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    found = defaultdict(list)
    for each in told:
        for name, value in flat(each["fields"]):
            found[name].append(value)
    return told, found


def compare(path, home):
    told, found = decoded(path)
    # tshark prints nothing for an empty text
    expected = {name: [value for value in values if value] for name, values in found.items()}
    names = sorted(expected)
    assert field_values(path, names, home=home) == expected
    heads = field_values(path, ["frame.type", "frame.crc"], home=home)
    frames = [each for each in told if each["type"]]
    assert [int(kind, 16) for kind in heads["frame.type"]] == [int(each["type"], 16) for each in frames]
    assert heads["frame.crc"] == [each["crc"] for each in frames]
    return told


def test_every_frame_is_shown_as_decode_tells_it(home, tmp_path):
    reads = [
        (1, fixture["direction"] or "up", bytes.fromhex(fixture["frame_hex"]))
        for fixture in fixtures("ykc")
        if fixture.get("code") != "length"
    ]
    told = compare(captured(tmp_path / "c", reads), home)
    assert {int(each["type"], 16) for each in told} >= set(FRAMES)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_frames_in_pieces_and_in_heaps_are_put_together(home, tmp_path, seed):
    rng = random.Random(seed)
    frames = {(link, side): rng.sample(good_frames("ykc", side), 20) for link in (1, 2) for side in ("up", "down")}
    streams = {key: b"\r\n".join(some) for key, some in frames.items()}
    reads = []
    while any(streams.values()):
        key = rng.choice([key for key, left in streams.items() if left])
        size = rng.choice((1, 7, 40, 300, 900))
        reads.append((*key, streams[key][:size]))
        streams[key] = streams[key][size:]
    told = compare(captured(tmp_path / "c", reads), home)
    assert len(told) == 80
    assert not [each for each in told if each["error"]]


def test_noise_and_a_false_start_hold_nothing_back(home, tmp_path):
    one, other = heartbeat("44030512003301", 1), heartbeat("44030512003301", 2)
    path = captured(tmp_path / "c", [(1, "up", b"\x01\x02" + one), (1, "up", b"\x68\xff" + other), (1, "up", one)])
    assert field_values(path, ["gun"], home=home) == {"gun": ["1", "2", "1"]}
    assert field_values(path, ["frame.noise"], home=home) == {"frame.noise": ["0102", "68ff"]}


def test_what_is_wrong_is_shown(home, tmp_path):
    pile = bytes.fromhex("44030512003301")
    good = heartbeat("44030512003301", 1)
    reads = [
        (1, "up", good[:-2] + b"\0\0"),
        (1, "up", frame(0x71, pile)),
        (1, "up", frame(0x13, bytes(64), enc=1)),
        (1, "up", frame(0x3B, bytes(146))),
        (1, "up", good),
    ]
    path = captured(tmp_path / "c", reads)
    wrong = ["checksum", "unknown_type", "encrypted", "length"]
    assert field_values(path, ["frame.error"], home=home)["frame.error"] == wrong
    only = field_values(path, ["gun", "gun_status"], "-Y", "not pilegate.frame.error and pilegate.gun == 1", home=home)
    assert only == {"gun": ["1"], "gun_status": ["0"]}


def test_records_say_which_link_and_what_happened_to_it(home, tmp_path):
    writer = CaptureWriter(CaptureConfig(directory=str(tmp_path / "c")), None)
    writer.append(AT_MS, 7, "open", b"10.0.0.5:4001", None)
    writer.append(AT_MS, 7, "up", heartbeat("44030512003301"), "ykc")
    writer.append(AT_MS, 7, "down", b"\xaa\xf5\x01", "aaf5")
    writer.append(AT_MS, 7, "close", b"idle", None)
    writer.close()
    [path] = (tmp_path / "c").glob("*.pcap")
    assert field_values(
        path, ["capture.kind", "capture.link", "capture.protocol", "capture.text", "capture.data"], home=home
    ) == {
        "capture.kind": ["open", "up", "down", "close"],
        "capture.link": ["7"] * 4,
        "capture.protocol": ["unknown", "ykc", "aaf5", "unknown"],
        "capture.text": ["10.0.0.5:4001", "idle"],
        "capture.data": ["aaf501"],
    }


def test_a_capture_of_tcpdump_is_shown_too(home, tmp_path):
    one, other = heartbeat("44030512003301", 1), heartbeat("44030512003301", 2)
    packets = [
        tcp(PILE, GATEWAY, 100, flags=SYN),
        tcp(GATEWAY, PILE, 500, flags=SYN | ACK, ack=101),
        tcp(PILE, GATEWAY, 101, one[:5], ack=501),
        tcp(PILE, GATEWAY, 106, one[5:] + other, ack=501),
    ]
    path = tmp_path / "t.pcap"
    path.write_bytes(pcap([(AT_MS + number, data) for number, data in enumerate(packets)]))
    port = GATEWAY[1]
    options = ("-d", f"tcp.port=={port},pilegate_ykc")
    assert field_values(path, ["gun", "frame.crc"], *options, home=home) == {
        "gun": ["1", "2"],
        "frame.crc": ["modbus-lo-hi"] * 2,
    }


def test_every_declared_field_can_be_asked_for(home):
    known = tshark("-G", "fields", home=home)
    for _, usual, exact in FRAMES.values():
        for layout in (usual, *exact.values()):
            for name, kind in layout.fields:
                if not hasattr(kind, "body") and name != "cell_max":
                    assert f"\tpilegate.{name}\t" in known


def test_the_checksum_table_is_that_of_the_codec():
    text = dissector_text()
    entry = checksum(b"\xfe") ^ 0x00FF  # the register begins at 0xFFFF: entry 1
    low, high = text.split("local CRC_LOW = {")[1], text.split("local CRC_HIGH = {")[1]
    assert f"[1] = {entry & 0xFF}," in low.partition("}")[0]
    assert f"[1] = {entry >> 8}," in high.partition("}")[0]


def test_it_is_installed_where_wireshark_looks(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = install()
    assert path == plugin_folder() / FILE_NAME
    assert path.is_relative_to(tmp_path)
    assert path.read_text(encoding="utf-8") == dissector_text()
