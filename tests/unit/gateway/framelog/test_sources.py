import gzip

import pytest
import zstandard

from gateway.framelog.sources import Source

TEXT = bytes(range(256)) * 400


def _content(path):
    source = Source(path)
    return b"".join(source.chunks()), source.damage


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_plain_and_compressed_are_the_same(tmp_path, suffix):
    path = tmp_path / f"log{suffix}"
    path.write_bytes({"": lambda d: d, ".gz": gzip.compress, ".zst": zstandard.compress}[suffix](TEXT))
    assert _content(path) == (TEXT, None)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_several_members_and_no_suffix(tmp_path, pack):
    path = tmp_path / "log"
    path.write_bytes(pack(TEXT) + pack(b"more"))
    assert _content(path) == (TEXT + b"more", None)


def test_zeros_behind_a_gzip_member_are_padding(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(TEXT) + bytes(100))
    assert _content(path) == (TEXT, None)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_cut_file_yields_what_is_there(tmp_path, pack):
    path = tmp_path / "log"
    whole = pack(TEXT)
    for size in range(4, len(whole), 7):
        path.write_bytes(whole[:size])
        content, damage = _content(path)
        assert TEXT.startswith(content)
        assert damage is not None
        assert "cut off" in damage


@pytest.mark.parametrize(("suffix", "name"), [(".gz", "gzip"), (".zst", "zstd")])
def test_a_suffix_that_lies_is_damage(tmp_path, suffix, name):
    path = tmp_path / f"log{suffix}"
    path.write_bytes(b'{"at": "2026-03-03T11:40:16Z"}')
    content, damage = _content(path)
    assert content == b""
    assert damage is not None
    assert damage.startswith(name)


def test_damage_in_the_middle_keeps_what_stands_before_it(tmp_path):
    path = tmp_path / "log.gz"
    whole = bytearray(gzip.compress(TEXT, 0))  # stored blocks: the position of every byte is known
    whole[-6] ^= 1  # checksum
    path.write_bytes(whole)
    content, damage = _content(path)
    assert content == TEXT
    assert damage is not None


def test_an_empty_file_is_empty(tmp_path):
    for suffix in ("", ".gz", ".zst"):
        path = tmp_path / f"log{suffix}"
        path.write_bytes(b"")
        assert _content(path) == (b"", None)
