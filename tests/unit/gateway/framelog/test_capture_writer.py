import errno
import os
import threading

import pytest

from gateway.framelog import CaptureConfig, CaptureWriter, LogDamage, NoCapture, read_log

AT_MS = 1_772_509_216_074
DAY_MS = 86_400_000


def _files(directory):
    return sorted(directory.glob("*.pcap"))


def _lines(directory):
    return [line for path in _files(directory) for line in read_log(path)]


@pytest.fixture
def make(tmp_path):
    writers = []

    def _make(on_trouble=None, **keys):
        writer = CaptureWriter(CaptureConfig(directory=str(tmp_path / "c"), **keys), on_trouble)
        writers.append(writer)
        return writer

    yield _make
    for writer in writers:
        writer.close()


def test_what_is_appended_is_in_the_file_after_flush(make, tmp_path):
    writer = make(flush_ms=60_000)
    writer.append(AT_MS, 1, "open", b"a:1", None)
    writer.append(AT_MS + 5, 1, "up", b"\x68\x0c", "ykc")
    writer.flush()
    assert [(line.at_ms, line.link, line.kind, line.data) for line in _lines(tmp_path / "c")] == [
        (AT_MS, "a:1", "open", b""),
        (AT_MS + 5, "a:1", "up", b"\x68\x0c"),
    ]
    assert [path.name for path in _files(tmp_path / "c")] == ["pilegate-20260303T034016.074Z.pcap"]


def test_without_flush_it_gets_there_too(make, tmp_path):
    written = threading.Event()
    writer = make(flush_ms=1)
    writer.append(AT_MS, 1, "up", b"a", None)
    while not _files(tmp_path / "c") or not list(read_log(_files(tmp_path / "c")[0])):
        written.wait(0.005)
    assert writer.lost_bytes == 0


def test_close_writes_the_rest_and_may_come_twice(make, tmp_path):
    writer = make(flush_ms=60_000)
    writer.append(AT_MS, 1, "up", b"a", None)
    writer.close()
    writer.close()
    writer.flush()
    assert len(_lines(tmp_path / "c")) == 1


def test_nothing_appended_makes_no_file(make, tmp_path):
    writer = make()
    writer.flush()
    assert _files(tmp_path / "c") == []


def test_files_rotate_by_size_and_each_reads_alone(make, tmp_path):
    writer = make(rotate_bytes=200)
    writer.append(AT_MS, 1, "open", b"a:1", None)
    writer.append(AT_MS, 2, "open", b"b:2", None)
    for number in range(12):
        writer.append(AT_MS + number, 1 + number % 2, "up", bytes(30), None)
        if number == 6:
            writer.append(AT_MS + number, 2, "close", b"bye", None)
            writer.append(AT_MS + number, 2, "open", b"c:3", None)
        writer.flush()
    files = _files(tmp_path / "c")
    assert len(files) > 2
    for path in files:
        assert {line.link for line in read_log(path)} <= {"a:1", "b:2", "c:3"}
    assert [line.kind for line in _lines(tmp_path / "c")].count("open") == 3


def test_files_rotate_by_time(make, tmp_path):
    writer = make(rotate_s=60)
    for minute in range(3):
        writer.append(AT_MS + minute * 60_000, 1, "up", b"a", None)
        writer.flush()
    assert len(_files(tmp_path / "c")) == 3


def test_two_files_of_one_moment_do_not_clash(make, tmp_path):
    for _ in range(3):
        writer = make()
        writer.append(AT_MS, 1, "up", b"a", None)
        writer.close()
    assert [path.name[28:] for path in _files(tmp_path / "c")] == ["Z.pcap", "Z_2.pcap", "Z_3.pcap"]
    assert len(_lines(tmp_path / "c")) == 3


def test_old_files_are_deleted_and_foreign_ones_are_not(make, tmp_path):
    foreign = tmp_path / "c" / "mine.pcap"
    foreign.parent.mkdir()
    foreign.write_bytes(b"")
    writer = make(rotate_s=1, keep_days=2)
    for day in range(6):
        writer.append(AT_MS + day * DAY_MS, 1, "up", b"a", None)
        writer.flush()
    # the file of day 2 ended when that of day 3 began, which is not more than two days ago
    kept = [path.name[9:17] for path in _files(tmp_path / "c") if path != foreign]
    assert kept == ["20260305", "20260306", "20260307", "20260308"]
    assert foreign.exists()


def _fail_while(monkeypatch, broken, half=0):
    real = os.write

    def write(fd, data):
        if broken.is_set():
            if half and len(data) > half:
                return real(fd, bytes(data[:half]))
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    monkeypatch.setattr("gateway.framelog.capture_writer.os.write", write)


@pytest.mark.parametrize("half", [0, 30])
@pytest.mark.parametrize("has_file", [True, False])
def test_a_full_disk_is_counted_told_and_marked(make, tmp_path, monkeypatch, has_file, half):
    told = []
    broken = threading.Event()
    _fail_while(monkeypatch, broken, half)
    writer = make(told.append)
    writer.append(AT_MS, 1, "open", b"a:1", None)
    if has_file:
        writer.flush()
    broken.set()
    for number in range(2):
        writer.append(AT_MS + number, 1, "up", b"lost", None)
        writer.flush()
    assert writer.lost_bytes == (2 * 28 if has_file else 2 * 28 + 27)
    assert len(told) == 1
    assert "No space left" in told[0]
    broken.clear()
    writer.append(AT_MS + 9, 1, "up", b"kept", None)
    writer.flush()
    *opened, damage, line = _lines(tmp_path / "c")
    assert len(opened) == has_file
    assert isinstance(damage, LogDamage)
    assert "No space left" in damage.reason
    assert (line.link, line.data) == ("a:1", b"kept")
    assert len(told) == 2
    assert "works again" in told[1]


def test_a_directory_that_cannot_be_made_is_no_end(make, tmp_path):
    told = []
    (tmp_path / "c").write_bytes(b"a file")
    writer = make(told.append)
    writer.append(AT_MS, 1, "up", b"a", None)
    writer.flush()
    assert (writer.lost_bytes, len(told)) == (25, 1)


def test_the_queue_is_bounded(make, tmp_path):
    told = []
    writer = make(told.append, queue_bytes_max=100, flush_ms=60_000)
    for _ in range(10):
        writer.append(AT_MS, 1, "up", b"a" * 26, None)
    writer.flush()
    writer.append(AT_MS, 1, "up", b"b", None)
    writer.flush()
    kinds = [type(line).__name__ for line in _lines(tmp_path / "c")]
    assert kinds == ["LogLine", "LogLine", "LogDamage", "LogLine"]
    assert writer.lost_bytes == 8 * 50
    assert len(told) == 2


def test_flush_does_not_wait_when_nothing_is_left(make, monkeypatch):
    writer = make(flush_ms=60_000)
    writer.append(AT_MS, 1, "up", b"a", None)
    assert writer.flush()
    monkeypatch.setattr("gateway.framelog.capture_writer._FLUSH_WAIT_S", 0)
    assert writer.flush()


def test_a_disk_that_hangs_is_told_and_waited_for_only_so_long(make, tmp_path, monkeypatch):
    told = []
    hanging = threading.Event()
    real = os.write

    def write(fd, data):
        assert hanging.wait(30)
        return real(fd, data)

    monkeypatch.setattr("gateway.framelog.capture_writer.os.write", write)
    monkeypatch.setattr("gateway.framelog.capture_writer._FLUSH_WAIT_S", 0.01)
    writer = make(told.append, flush_ms=60_000)
    writer.append(AT_MS, 1, "up", b"a", None)
    assert [writer.flush(), writer.flush()] == [False, False]
    assert told == ["capture: the disk hangs; nobody waits for it"]
    monkeypatch.setattr("gateway.framelog.capture_writer._FLUSH_WAIT_S", 30)
    hanging.set()
    assert writer.flush()
    writer.append(AT_MS, 1, "up", b"b", None)
    assert writer.flush()
    assert told[1:] == ["capture: keeps up again"]
    assert [line.data for line in _lines(tmp_path / "c")] == [b"a", b"b"]


def test_no_capture_keeps_nothing():
    nothing = NoCapture()
    nothing.append(AT_MS, 1, "up", b"a", None)
    assert nothing.flush()
    nothing.close()
    assert nothing.lost_bytes == 0
