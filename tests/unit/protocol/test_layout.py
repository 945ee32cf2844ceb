import pytest
from construct import Struct

from protocol.fields import CountedChars, GreedyGroup, Group, Hex, Rest, Uint
from protocol.layout import Layout

PAIR = Struct("a" / Uint(1), "b" / Hex(2))


def test_a_layout_knows_its_fixed_size():
    layout = Layout("one", Struct("x" / Uint(4), "y" / Group(3, PAIR)))
    assert (layout.size, layout.is_open) == (13, False)
    assert [name for name, _ in layout.fields] == ["x", "y"]


def test_a_part_of_variable_length_opens_a_layout():
    for kind in (GreedyGroup(PAIR), Rest()):
        layout = Layout("one", Struct("x" / Uint(1), "y" / kind))
        assert (layout.size, layout.is_open) == (1, True)
    counted = Layout("one", Struct("n" / Uint(1), "y" / CountedChars("n")))
    assert (counted.size, counted.is_open) == (1, True)


def test_groups_hold_plain_fields_alone():
    with pytest.raises(AssertionError):
        Layout("one", Struct("x" / Group(2, Struct("y" / Group(2, PAIR)))))


def test_a_layout_that_grew_may_be_cut_behind_its_least():
    layout = Layout("one", Struct("x" / Uint(1), "y" / Uint(2)), 1)
    assert layout.read(b"\x07") == {"x": 7}
    assert layout.write({"x": 7}) == b"\x07"
