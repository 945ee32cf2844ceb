"""What the daemon shows and says is in docs/operations.md, and what stands there is real."""

import re
from pathlib import Path

from gateway.metrics import Metrics

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py"))


def shown():
    families = {f"{each.name}{'_total' if each.type == 'counter' else ''}" for each in Metrics().collect()}
    source = (ROOT / "gateway" / "app.py").read_text(encoding="utf-8")
    gauges = re.findall(r'"(\w+)": \(', source.partition("def _gauges")[2])
    assert len(gauges) > 5
    return families | {f"pilegate_{name}" for name in gauges}


def test_metrics_are_documented_and_real():
    assert set(re.findall(r"pilegate_\w+", TEXT)) == shown()


def test_log_events_of_the_table_exist():
    table = TEXT.partition("Log events worth an alarm")[2].partition("\n\nCard")[0]
    events = re.findall(r"`(\w+_\w+)`", table)
    assert len(events) > 8
    for event in events:
        assert f'"{event}"' in SOURCES, event


def test_commands_of_the_text_exist():
    from gateway.cli import cli

    for command in re.findall(r"(?m)(?:^|`|bin/)pilegate ([a-z]+)", TEXT):
        assert command in cli.commands, command
