from dataclasses import dataclass

import pytest

from gateway.errors import ConfigError
from gateway.tomlfile import TomlFile, build


@dataclass(frozen=True)
class Inner:
    no: int
    name: str = "x"


@dataclass(frozen=True)
class Outer:
    count: int = 1
    is_on: bool = False
    names: tuple[str, ...] = ()
    inner: tuple[Inner, ...] = ()
    note: str | None = None

    def __post_init__(self):
        if self.count < 0:
            raise ValueError("count is 0 or more")


def test_a_table_becomes_its_dataclass():
    source = TomlFile('count = 3\nis_on = true\nnames = ["a", "b"]\n[[inner]]\nno = 7\n', "f.toml")
    assert build(Outer, source.tables, "", source) == Outer(3, True, ("a", "b"), (Inner(7),))


TEXT = """\
[site]
name = "s"

[[pile]]
id = "1"
[[pile.connector]]
no = 1
[[pile]]
id = "2"
[[pile.connector]]
no = 1
[[pile.connector]]
no = 2
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("site.name", 2),
        ("pile[0].id", 5),
        ("pile[0].connector[0].no", 7),
        ("pile[1]", 8),
        ("pile[1].connector[1].no", 13),
        ("pile[1].connector[1].missing", 12),
        ("nowhere", None),
    ],
)
def test_a_key_is_found_at_its_line(path, line):
    assert TomlFile(TEXT, "f.toml").line_of(path) == line


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("count = 1\nother = 2\n", "key_unknown", 2, "known here: count"),
        ("count = 1.5\n", "float_refused", 1, "binary float"),
        ('count = "1"\n', "type_wrong", 1, "a whole number"),
        ("count = true\n", "type_wrong", 1, "a whole number"),
        ("is_on = 1\n", "type_wrong", 1, "true or false"),
        ("count = -1\n", "out_of_bounds", 1, "0 or more"),
        ('[[inner]]\nname = "a"\n', "key_missing", 1, "'no' is required"),
        ("names = [1]\n", "type_wrong", 1, "a string"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(text, code, line, words):
    source = TomlFile(text, "f.toml")
    with pytest.raises(ConfigError) as caught:
        build(Outer, source.tables, "", source)
    assert (caught.value.code, caught.value.line) == (code, line)
    assert words in str(caught.value)
    assert str(caught.value).startswith("f.toml")


def test_text_that_is_no_toml_is_told_with_its_line():
    with pytest.raises(ConfigError) as caught:
        TomlFile("a = 1\nb = = 2\n", "f.toml")
    assert (caught.value.code, caught.value.line) == ("toml_invalid", 2)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigError) as caught:
        TomlFile.read(tmp_path / "none.toml")
    assert caught.value.code == "file_unreadable"
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        TomlFile.read(tmp_path / "bad.toml")
    assert caught.value.code == "file_not_utf8"
