import struct

import pytest

from gateway.framelog.records import PAYLOAD_BYTES_MAX, Gathering, pack, pack_record

AT_MS = 1_772_509_216_074


def test_a_record_is_sixteen_bytes_of_libpcap_and_eight_of_ours_before_its_data():
    record = pack_record(AT_MS, 7, 1, b"\x68\x0c", 1, is_restated=True)
    head = struct.pack("<IIIIBBBBI", AT_MS // 1000, 74_000_000, 10, 10, 1, 1, 1, 1, 7)
    assert record == head + b"\x68\x0c"


def test_what_is_longer_than_a_record_becomes_several():
    data = bytes(PAYLOAD_BYTES_MAX) + b"\x01"
    assert pack(AT_MS, 7, "up", data, "ykc") == pack_record(AT_MS, 7, 0, data[:-1], 1) + pack_record(
        AT_MS, 7, 0, b"\x01", 1
    )
    assert pack(AT_MS, 7, "close", b"") == pack_record(AT_MS, 7, 3, b"")


@pytest.mark.parametrize(("kind", "protocol"), [("sideways", "ykc"), ("up", "ocpp")])
def test_what_captures_have_no_number_for_is_refused(kind, protocol):
    with pytest.raises(KeyError):
        pack(AT_MS, 7, kind, b"", protocol)


class Told(Gathering):
    def __init__(self, bytes_max, full_bytes):
        super().__init__(bytes_max, full_bytes)
        self.told = 0

    def on_full(self):
        self.told += 1


def test_a_block_is_taken_with_its_times_and_its_links_and_the_next_begins_empty():
    gathering = Told(10_000, 10_000)
    assert not gathering.has_waiting
    gathering.append(AT_MS, 1, "open", b"a:1")
    gathering.append(AT_MS + 1, 1, "up", b"x", "ykc")
    gathering.append(AT_MS + 2, 1, "close", b"bye")
    assert gathering.has_waiting
    block = gathering.take()
    assert (block.from_ms, block.to_ms, block.links) == (AT_MS, AT_MS + 2, [(1, b"a:1"), (1, None)])
    assert block.records == (
        pack(AT_MS, 1, "open", b"a:1") + pack(AT_MS + 1, 1, "up", b"x", "ykc") + pack(AT_MS + 2, 1, "close", b"bye")
    )
    assert (gathering.has_waiting, gathering.told, gathering.refused_bytes) == (False, 0, 0)


def test_a_block_tells_once_that_it_is_full_and_grows_no_further_than_it_may():
    gathering = Told(100, 50)
    for number in range(6):
        gathering.append(AT_MS + number, 1, "up", b"x", "ykc")
    assert (len(gathering.take()), gathering.told, gathering.refused_bytes) == (100, 1, 50)
    gathering.append(AT_MS, 1, "up", b"x", "ykc")
    assert len(gathering.take()) == 25
