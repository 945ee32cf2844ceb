import pytest

from gateway.framelog.lines import LogDamage, LogLine


def test_a_line_is_a_tuple_of_named_things():
    line = LogLine(5, "10.0.0.5:4001", "up", b"\x68", None, "a.jsonl", 0)
    assert line == (5, "10.0.0.5:4001", "up", b"\x68", None, "a.jsonl", 0, False)
    assert (line.at_ms, line.kind, line.data, line.is_own) == (5, "up", b"\x68", False)
    assert line._replace(is_own=True).is_own


def test_damage_says_where_it_begins_and_why():
    damage = LogDamage("a.pcap", 24, "cut short")
    assert (damage.source, damage.position, damage.reason) == ("a.pcap", 24, "cut short")
    assert not isinstance(damage, LogLine)


@pytest.mark.parametrize("cls", [LogLine, LogDamage])
def test_they_never_change(cls):
    row = cls(*range(len(cls._fields)))
    with pytest.raises(AttributeError):
        row.source = "b"
