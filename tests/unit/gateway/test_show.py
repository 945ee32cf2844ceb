"""Tables for people."""

import io
import sys

from gateway.show import print_table, say


def test_columns_align_in_any_script(capsys):
    print_table(("站", "kWh"), [("示例站", "1.0"), (None, 12)], title="两行")
    assert capsys.readouterr().out.splitlines() == ["两行", "站      kWh", "示例站  1.0", "        12"]


def test_a_terminal_gets_a_frame(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("a", "b"), [(1, "[x]")])
    shown = capsys.readouterr().out
    assert "─" in shown or "━" in shown
    assert "1" in shown


def test_remarks_go_to_standard_error_unless_told_otherwise(capsys):
    say("here")
    elsewhere = io.StringIO()
    say("there", elsewhere)
    assert capsys.readouterr() == ("", "here\n")
    assert elsewhere.getvalue() == "there\n"
