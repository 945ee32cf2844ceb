import struct

import pytest

from gateway.framelog import LogDamage, read_log
from gateway.framelog.capture import LOST, PAYLOAD_BYTES_MAX, file_header, pack, pack_record
from tests.support.packets import pcapng

AT_MS = 1_772_509_216_074


def _read(tmp_path, *records):
    path = tmp_path / "a.pcap"
    path.write_bytes(file_header() + b"".join(records))
    return list(read_log(path))


def _brief(lines):
    return [(line.at_ms, line.link, line.kind, line.data, line.protocol) for line in lines]


def test_records_are_read_back(tmp_path):
    lines = _read(
        tmp_path,
        pack(AT_MS, 7, "open", b"10.0.0.5:4001"),
        pack(AT_MS + 1, 7, "up", b"\x68", "ykc"),
        pack(AT_MS + 2, 7, "down", b"", "ykc"),
        pack(AT_MS + 3, 7, "close", b"idle too long"),
    )
    assert _brief(lines) == [
        (AT_MS, "10.0.0.5:4001", "open", b"", None),
        (AT_MS + 1, "10.0.0.5:4001", "up", b"\x68", "ykc"),
        (AT_MS + 2, "10.0.0.5:4001", "down", b"", "ykc"),
        (AT_MS + 3, "10.0.0.5:4001", "close", b"", None),
    ]
    assert lines[1].position == 24 + 16 + 8 + 13


def test_the_bytes_of_a_record():
    assert pack(1_002, 258, "down", b"\xaa", "ykc").hex() == (
        "01000000" + "80841e00" + "09000000" * 2 + "01010100" + "02010000" + "aa"
    )
    assert file_header() == struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 147)


def test_a_restated_link_has_its_name_and_is_no_new_connection(tmp_path):
    lines = _read(tmp_path, pack_record(AT_MS, 7, 2, b"x:1", is_restated=True), pack(AT_MS, 7, "up", b"a"))
    assert _brief(lines) == [(AT_MS, "x:1", "up", b"a", None)]


def test_an_unnamed_link_is_called_by_its_number(tmp_path):
    assert _read(tmp_path, pack(AT_MS, 9, "up", b"a"))[0].link == "link-9"


def test_lost_records_are_told(tmp_path):
    (damage,) = _read(tmp_path, pack_record(AT_MS, 0, LOST, b"records are missing: disk full"))
    assert damage == LogDamage(str(tmp_path / "a.pcap"), 24, "records are missing: disk full")


def test_large_reads_are_split(tmp_path):
    data = bytes(range(256)) * 2000
    lines = _read(tmp_path, pack(AT_MS, 1, "up", data))
    assert b"".join(line.data for line in lines) == data
    assert max(len(line.data) for line in lines) == PAYLOAD_BYTES_MAX


@pytest.mark.parametrize("bad", [b"", b"\x01", b"\x02\0\0\0\0\0\0\0", b"\x01\x05\0\0\0\0\0\0"])
def test_a_foreign_record_is_damage_and_reading_goes_on(tmp_path, bad):
    record = struct.pack("<IIII", 1, 0, len(bad), len(bad)) + bad
    damage, line = _read(tmp_path, record, pack(AT_MS, 1, "up", b"a"))
    assert "pseudo-header is wrong" in damage.reason
    assert line.data == b"a"


def test_wireshark_may_have_saved_it_as_pcapng(tmp_path):
    path = tmp_path / "a.pcapng"
    path.write_bytes(pcapng([(AT_MS, pack(AT_MS, 3, "up", b"abc")[16:])], link_type=147))
    assert _brief(read_log(path)) == [(AT_MS, "link-3", "up", b"abc", None)]


def test_a_protocol_without_number_is_refused():
    with pytest.raises(KeyError):
        pack(AT_MS, 1, "up", b"", "ocpp")


def test_a_closed_link_leaves_no_name_behind(tmp_path):
    lines = _read(tmp_path, pack(1, 7, "open", b"a:1"), pack(2, 7, "close", b"gone"), pack(3, 7, "up", b"x"))
    assert [line.link for line in lines] == ["a:1", "a:1", "link-7"]
