import gzip
import json

import pytest
import zstandard

from gateway.framelog import LogDamage, LogLine, read_log
from gateway.framelog.capture import file_header, pack

ENTRY = {"at": "2026-03-03T11:40:16.074+08:00", "link": "a:1", "dir": "up", "hex": "680C"}
TEXT = (json.dumps(ENTRY) + "\n").encode()
CAPTURE = file_header() + pack(1_772_509_216_074, 1, "open", b"a:1") + pack(1_772_509_216_074, 1, "up", b"\x68\x0c")


@pytest.mark.parametrize("pack_file", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
@pytest.mark.parametrize("content", [TEXT, CAPTURE], ids=["text", "capture"])
def test_the_form_is_told_by_the_content(tmp_path, content, pack_file):
    path = tmp_path / "log"
    path.write_bytes(pack_file(content))
    line = list(read_log(path))[-1]
    assert line[:5] == (1_772_509_216_074, "a:1", "up", b"\x68\x0c", None)
    assert line.source == str(path)


@pytest.mark.parametrize("content", [TEXT * 3, CAPTURE], ids=["text", "capture"])
@pytest.mark.parametrize("pack_file", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
def test_a_log_cut_anywhere_is_read_up_to_the_cut(tmp_path, content, pack_file):
    path = tmp_path / "log"
    path.write_bytes(content)
    whole = list(read_log(path))
    packed = pack_file(content)
    for size in range(len(packed)):
        path.write_bytes(packed[:size])
        found = list(read_log(path))
        lines = [line for line in found if isinstance(line, LogLine)]
        assert lines == whole[: len(lines)]
        assert all(isinstance(line, LogDamage) for line in found[len(lines) :])


def test_an_empty_log_is_empty(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"")
    assert list(read_log(path)) == []
    path.write_bytes(file_header())
    assert list(read_log(path)) == []


def test_something_else_is_told_once(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(bytes(range(256)) * 100)
    assert list(read_log(path)) == [LogDamage(str(path), 0, "neither a text log nor a capture")]


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_log(tmp_path / "none"))
