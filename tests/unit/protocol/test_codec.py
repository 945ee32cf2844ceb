"""Op tables by hand: what one field does, and how it refuses."""

import pytest

from protocol.codec import OpTable, byte_sum, checksum
from protocol.errors import FieldError, LocalProtocolError
from protocol.fields import Op
from tests.support.wire import crc16

INNER = OpTable([("a", Op.UINT, 1, None), ("b", Op.HEX, 1, None)])


def table(op, width=0, inner=None, *, counter=None):
    rows = [("n", counter, 1, None)] if counter is not None else []
    return OpTable([*rows, ("x", op, width, inner)])


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 16, 255])
def test_the_checksum_is_that_of_a_bitwise_reckoning(size):
    data = bytes(range(size))
    assert checksum(data) == crc16(data)


def test_the_checksum_of_the_usual_check_string():
    assert checksum(b"123456789") == 0x4B37


def test_the_sum_keeps_eight_bits():
    assert byte_sum(b"\xff\x02\x01") == 2
    assert byte_sum(b"") == 0


@pytest.mark.parametrize("work", [checksum, byte_sum])
def test_only_bytes_have_a_checksum(work):
    with pytest.raises(TypeError):
        work(None)


@pytest.mark.parametrize(
    ("op", "width", "body", "value"),
    [
        (Op.UINT, 1, "ff", 255),
        (Op.UINT, 3, "010203", 0x030201),
        (Op.UINT, 7, "ffffffffffffff", 2**56 - 1),
        (Op.UINT_BE, 3, "010203", 0x010203),
        (Op.UINT_BE, 7, "ffffffffffffff", 2**56 - 1),
        (Op.SINT, 1, "80", -128),
        (Op.SINT, 2, "ff7f", 32767),
        (Op.SINT, 7, "ffffffffffffff", -1),
        (Op.UINT_WIDE, 8, "ffffffffffffffff", 2**64 - 1),
        (Op.HEX, 3, "0a0bfe", "0A0BFE"),
        (Op.BYTES, 2, "4100", b"A\0"),
        (Op.REST_HEX, 0, "0a0b", "0A0B"),
        (Op.REST_HEX, 0, "", ""),
    ],
)
def test_one_field_goes_both_ways(op, width, body, value):
    one = table(op, width)
    assert one.read(bytes.fromhex(body)) == {"x": value}
    assert one.write({"x": value}).hex() == body


@pytest.mark.parametrize(
    ("one", "body", "raw"),
    [
        (table(Op.GROUP, 2, INNER), "0102fffe", {"x": [{"a": 1, "b": "02"}, {"a": 255, "b": "FE"}]}),
        (table(Op.GROUP_COUNTED, 0, INNER, counter=Op.UINT), "010a0b", {"n": 1, "x": [{"a": 10, "b": "0B"}]}),
        (table(Op.GROUP_COUNTED, 0, INNER, counter=Op.UINT_BE), "00", {"n": 0, "x": []}),
        (table(Op.GROUP_GREEDY, 0, INNER), "", {"x": []}),
        (table(Op.GROUP_GREEDY, 0, INNER), "01020304", {"x": [{"a": 1, "b": "02"}, {"a": 3, "b": "04"}]}),
        (table(Op.BYTES_COUNTED, counter=Op.UINT), "024142", {"n": 2, "x": b"AB"}),
        (table(Op.BYTES_COUNTED, counter=Op.UINT), "00", {"n": 0, "x": b""}),
    ],
)
def test_repetitions_go_both_ways(one, body, raw):
    assert one.read(bytes.fromhex(body)) == raw
    assert one.write(raw).hex() == body


def test_what_is_left_over_is_kept():
    one = table(Op.UINT, 1)
    assert one.read(b"\x01\x0a\xbc") == {"x": 1, "trailing_hex": "0ABC"}
    assert one.write({"x": 1, "trailing_hex": "0ABC"}) == b"\x01\x0a\xbc"
    assert table(Op.GROUP_GREEDY, 0, INNER).read(b"\x01\x02\x03") == {
        "x": [{"a": 1, "b": "02"}],
        "trailing_hex": "03",
    }


def test_text_is_padded_on_the_right():
    assert table(Op.BYTES, 4).write({"x": b"ab"}) == b"ab\0\0"


@pytest.mark.parametrize(
    ("one", "body", "field", "offset", "text"),
    [
        (table(Op.UINT, 2), "01", "x", 0, "the body ends at byte 1, the field x needs bytes 0 to 2"),
        (table(Op.HEX, 2), "", "x", 0, "the body ends at byte 0, the field x needs bytes 0 to 2"),
        (
            table(Op.GROUP, 2, INNER),
            "010203",
            "b",
            3,
            "the body ends at byte 3, the field b needs bytes 3 to 4",
        ),
        (
            table(Op.GROUP_COUNTED, 0, INNER, counter=Op.UINT),
            "0201",
            "b",
            2,
            "the body ends at byte 2, the field b needs bytes 2 to 3",
        ),
        (table(Op.BYTES_COUNTED, counter=Op.UINT), "0341", "x", 1, "the field x needs 3 bytes, 1 are left"),
    ],
)
def test_a_body_too_short_names_field_and_place(one, body, field, offset, text):
    with pytest.raises(FieldError, match=text) as caught:
        one.read(bytes.fromhex(body))
    assert (caught.value.code, caught.value.field, caught.value.offset) == ("length", field, offset)


@pytest.mark.parametrize(
    ("one", "raw", "code", "field"),
    [
        (table(Op.UINT, 1), {}, "field_missing", "x"),
        (table(Op.UINT, 1), {"x": 256}, "field_unfit", "x"),
        (table(Op.UINT, 1), {"x": -1}, "field_unfit", "x"),
        (table(Op.UINT, 1), {"x": "1"}, "field_unfit", "x"),
        (table(Op.UINT, 1), {"x": None}, "field_unfit", "x"),
        (table(Op.SINT, 1), {"x": 128}, "field_unfit", "x"),
        (table(Op.UINT_WIDE, 8), {"x": 2**64}, "field_unfit", "x"),
        (table(Op.HEX, 2), {"x": "00"}, "field_unfit", "x"),
        (table(Op.HEX, 2), {"x": "XXXX"}, "field_unfit", "x"),
        (table(Op.BYTES, 1), {"x": b"ab"}, "field_unfit", "x"),
        (table(Op.REST_HEX), {"x": "0"}, "field_unfit", "x"),
        (table(Op.GROUP, 2, INNER), {"x": [{"a": 1, "b": "02"}]}, "field_unfit", "x"),
        (table(Op.GROUP, 1, INNER), {"x": [{"a": 1}]}, "field_missing", "b"),
        (table(Op.GROUP_COUNTED, 0, INNER, counter=Op.UINT), {"n": 2, "x": []}, "field_unfit", "x"),
        (table(Op.BYTES_COUNTED, counter=Op.UINT), {"n": 2, "x": b"a"}, "field_unfit", "x"),
        (table(Op.UINT, 1), {"x": 1, "trailing_hex": "0"}, "field_unfit", "trailing_hex"),
        (table(Op.UINT, 1), {"x": 1, "trailing_hex": 7}, "field_unfit", "trailing_hex"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(one, raw, code, field):
    with pytest.raises(LocalProtocolError, match=f"the field {field}") as caught:
        one.write(raw)
    assert (caught.value.code, caught.value.field) == (code, field)


# -- layouts that grew ----------------------------------------------------------------------------------

GROWN = OpTable([("a", Op.UINT, 1, None), ("b", Op.UINT, 2, None), ("c", Op.GROUP, 2, INNER)])


@pytest.mark.parametrize(
    ("body", "raw"),
    [
        ("01", {"a": 1}),
        ("010200", {"a": 1, "b": 2}),
        ("01020003", {"a": 1, "b": 2, "trailing_hex": "03"}),
        ("01020003040506", {"a": 1, "b": 2, "c": [{"a": 3, "b": "04"}, {"a": 5, "b": "06"}]}),
    ],
)
def test_a_grown_layout_is_read_as_far_as_whole_fields_go(body, raw):
    assert GROWN.read(bytes.fromhex(body), 1) == raw
    assert GROWN.write(raw, 1).hex() == body


def test_a_grown_layout_still_has_its_beginning():
    with pytest.raises(FieldError, match="the field a"):
        GROWN.read(b"", 1)
    with pytest.raises(LocalProtocolError, match="the field a is missing"):
        GROWN.write({"b": 2}, 1)
    with pytest.raises(LocalProtocolError, match="the field b is missing"):
        GROWN.write({"a": 1, "c": []}, 1)


# -- tables that could not run --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        [("x", Op.UINT, 8, None)],
        [("x", Op.UINT, 0, None)],
        [("x", Op.UINT_WIDE, 7, None)],
        [("x", 11, 1, None)],
        [("x", Op.GROUP, 1, None)],
        [("x", Op.GROUP_GREEDY, 0, OpTable([]))],
        [("x", Op.BYTES_COUNTED, 0, None)],
        [("n", Op.HEX, 1, None), ("x", Op.GROUP_COUNTED, 0, INNER)],
        [(f"x{number}", Op.UINT, 1, None) for number in range(65)],
    ],
)
def test_rows_that_could_not_run_are_a_mistake_of_the_programmer(rows):
    with pytest.raises(AssertionError):
        OpTable(rows)


def test_a_table_tells_its_names_and_its_fixed_size():
    assert (GROWN.names, GROWN.count) == (("a", "b", "c"), 3)
    assert INNER.fixed_size() == 2
