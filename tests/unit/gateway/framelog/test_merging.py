"""Several logs as one: by time, and within each in its own order."""

import gzip
import json

from gateway.alarms import Alarms
from gateway.framelog import LogLine
from gateway.framelog.merging import merged
from gateway.framelog.scan import ShortWay
from gateway.site import instant_of


def lines(tmp_path, name, *stamps):
    path = tmp_path / name
    rows = [
        {"at": f"2026-03-03T{stamp}+08:00", "link": name, "dir": "up", "hex": f"{number:02X}"}
        for number, stamp in enumerate(stamps)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def order(found):
    return [(line.link[0], line.data[0]) for line in found if isinstance(line, LogLine)]


def test_logs_are_merged_by_time_and_the_first_named_comes_first(tmp_path):
    first = lines(tmp_path, "a.jsonl", "08:00:00", "08:00:02", "08:00:02")
    second = lines(tmp_path, "b.jsonl.gz", "08:00:01", "08:00:02", "08:00:03")
    assert order(merged([first, second])) == [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert order(merged([second, first])) == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]


def test_within_one_log_the_order_of_the_file_stays(tmp_path):
    first = lines(tmp_path, "a.jsonl", "08:00:05", "08:00:01", "08:00:06")
    second = lines(tmp_path, "b.jsonl", "08:00:02", "08:00:05")
    assert order(merged([first, second])) == [("b", 0), ("a", 0), ("a", 1), ("b", 1), ("a", 2)]
    assert order(merged([first])) == [("a", 0), ("a", 1), ("a", 2)]


def test_repeats_of_a_log_are_spared_only_up_to_the_next_line_of_another(tmp_path):
    first = lines(tmp_path, "a.jsonl", "08:00:00", "08:00:04")
    second = lines(tmp_path, "b.jsonl", "08:00:02", "08:00:06")
    short, start_ms, last_ms = ShortWay(Alarms()), instant_of("2026-03-03T08:00:00+08:00"), 2**60
    short.horizon_ms = last_ms
    horizons = [short.horizon_ms - start_ms for _ in merged([first, second], short)]
    assert horizons[1:] == [2_000, 3_999, 6_000]  # an equal stamp of the first log comes before that of the second
    assert horizons[0] < 0
    assert short.horizon_ms == last_ms
