import io
import json
import sys

import pytest
import structlog

from gateway.logs import LogConfig, Tolerant, mask, masked, set_up


@pytest.fixture
def lines(capsys):
    """What was logged."""
    yield lambda: capsys.readouterr().err.splitlines()
    structlog.reset_defaults()


def test_a_line_is_json_where_no_terminal_reads(lines):
    set_up(LogConfig())
    structlog.get_logger().info("pile_logged_in", pile_id="p1", firmware="充电")
    (line,) = lines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["pile_id"], told["firmware"]) == ("pile_logged_in", "info", "p1", "充电")
    assert told["timestamp"].endswith("Z")
    assert "充电" in line


def test_console_lines_are_for_people(lines):
    set_up(LogConfig(format="console"))
    structlog.get_logger().warning("link_closed", reason="why")
    (line,) = lines()
    assert "link_closed" in line
    assert not line.startswith("{")


def test_what_is_below_the_level_is_not_written(lines):
    set_up(LogConfig(level="warning"))
    log = structlog.get_logger()
    log.info("a")
    log.warning("b")
    assert [json.loads(line)["event"] for line in lines()] == ["b"]


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("card_uid", "00000000D14B0A54", "************0A54"),
        ("card", "1234", "1234"),
        ("logic_card", "0000001000000573", "************0573"),
        ("vin", "LHB12345678901234", "*************1234"),
        ("vin", None, None),
        ("password", "secret", "…"),
        ("secret", "whsec_x", "…"),
        ("token", "pg_abc", "…"),
        ("pile_id", "55031412782305", "55031412782305"),
    ],
)
def test_cards_vins_and_secrets_are_masked(lines, key, value, shown):
    set_up(LogConfig())
    structlog.get_logger().info("x", **{key: value})
    assert json.loads(lines()[0])[key] == shown


def test_what_is_bound_is_masked_too(lines):
    set_up(LogConfig())
    structlog.get_logger().bind(vin="LHB12345678901234").info("x")
    assert "LHB1" not in lines()[0]


def test_masking_keeps_the_length():
    assert [masked(text) for text in ("", "abc", "abcde")] == ["", "abc", "*bcde"]
    assert mask(None, "", {"vin": 5}) == {"vin": 5}


@pytest.mark.parametrize(("key", "value"), [("level", "loud"), ("format", "xml")])
def test_levels_and_formats_are_those_there_are(key, value):
    with pytest.raises(ValueError, match=key):
        LogConfig(**{key: value})


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")

    def flush(self):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_stream_that_cannot_be_written_stops_nobody(monkeypatch, is_closed):
    stream = io.StringIO() if is_closed else Full()
    if is_closed:
        stream.close()
    tolerant = Tolerant(stream)
    assert tolerant.write("abc") == 3
    tolerant.flush()
    assert tolerant.lost_lines == 1
    monkeypatch.setattr(sys, "stderr", stream)
    set_up(LogConfig(format="json"))
    structlog.get_logger().error("store_failed")
    structlog.reset_defaults()
