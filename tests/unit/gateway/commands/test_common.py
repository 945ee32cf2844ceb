"""What the commands share."""

import pytest

from gateway.commands import common
from gateway.errors import StoreError


def test_a_database_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="start the daemon once"), common.reading(None, tmp_path / "none.db"):
        pass


def test_the_database_is_named_by_option_or_by_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text('[store]\npath = "x.db"\n')
    assert common.place(None, None)[0].name == "x.db"
    assert common.place(None, tmp_path / "y.db")[0].name == "y.db"


def test_lines_are_json_in_any_script(capsys):
    common.print_lines([{"name": "充电站"}, {"n": 1}])
    assert capsys.readouterr().out == '{"name": "充电站"}\n{"n": 1}\n'
