import pytest

from gateway.framelog.streams import Stream

START = 2**32 - 5  # sequence numbers wrap within every test


def _begun():
    stream = Stream()
    stream.begin(START - 1)
    return stream


def _take(stream, offset, data, at_ms=0):
    return [(piece.data, piece.lost_bytes) for piece in stream.take((START + offset) % 2**32, data, at_ms, offset)]


def test_bytes_in_order_pass():
    stream = _begun()
    assert _take(stream, 0, b"abc") == [(b"abc", 0)]
    assert _take(stream, 3, b"defgh") == [(b"defgh", 0)]


def test_repeated_and_overlapping_bytes_come_once():
    stream = _begun()
    assert _take(stream, 0, b"abc") == [(b"abc", 0)]
    assert _take(stream, 0, b"abc") == []
    assert _take(stream, 1, b"bcd") == [(b"d", 0)]
    assert _take(stream, -1, b"x") == []  # a keepalive probe


def test_late_bytes_take_their_place():
    stream = _begun()
    assert _take(stream, 6, b"g") == []
    assert _take(stream, 3, b"def") == []
    assert _take(stream, 3, b"defg") == []
    assert stream.early_bytes == 8
    assert _take(stream, 0, b"abc") == [(b"abc", 0), (b"def", 0), (b"g", 0)]
    assert stream.early_bytes == 0
    assert _take(stream, 7, b"h") == [(b"h", 0)]


def test_without_a_beginning_the_first_bytes_are_it():
    assert _take(Stream(), 50, b"abc") == [(b"abc", 0)]


def test_confirmed_bytes_are_waited_for_only_shortly():
    stream = _begun()
    _take(stream, 2, b"cd", at_ms=1_000)
    assert stream.overdue(1_999, START + 4) == []
    assert stream.overdue(2_000, START) == []
    (piece,) = stream.overdue(2_000, (START + 4) % 2**32)
    assert (piece.data, piece.lost_bytes, piece.at_ms) == (b"cd", 2, 1_000)
    assert _take(stream, 0, b"ab") == []


def test_unconfirmed_bytes_are_waited_for_long():
    stream = _begun()
    _take(stream, 2, b"cd", at_ms=0)
    assert stream.overdue(119_999, -1) == []
    assert [piece.lost_bytes for piece in stream.overdue(120_000, -1)] == [2]


@pytest.mark.parametrize(("count", "size"), [(5, 60_000), (600, 1)])
def test_what_waits_is_bounded(count, size):
    stream = _begun()
    for number in range(count):
        _take(stream, 1 + number * size, bytes(size))
    pieces = stream.overdue(0, -1)
    assert sum(len(piece.data) for piece in pieces) == count * size
    assert [piece.lost_bytes for piece in pieces] == [1] + [0] * (count - 1)


def test_the_rest_comes_with_its_gaps():
    stream = _begun()
    _take(stream, 6, b"gh")
    _take(stream, 2, b"cd")
    assert [(piece.data, piece.lost_bytes) for piece in stream.rest()] == [(b"cd", 2), (b"gh", 2)]
    assert stream.rest() == []


def test_the_end_is_reached_when_all_before_it_is_there():
    stream = _begun()
    _take(stream, 2, b"cd")
    stream.finish(START + 4)
    assert not stream.is_closed
    _take(stream, 0, b"ab")
    assert stream.is_closed


def test_an_end_without_any_bytes():
    stream = Stream()
    stream.finish(START)
    assert stream.is_closed
