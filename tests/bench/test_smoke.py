"""The benchmarks run, and say what they must; what they measure here is not looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import report
from bench.goals import GOALS
from bench.goals.mqtt import MOSQUITTO
from bench.limit import Decoder
from bench.measure import Measure
from bench.piles import START_MS, known_frames, record_frame, samples, write_log

ROOT = Path(__file__).parents[2]


def test_every_goal_is_measured_and_written_down(tmp_path):
    out = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--tiny", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads(out.read_text())
    absent = {"M1"} if MOSQUITTO is None else set()
    assert {row["goal"] for row in document["results"]} == set(GOALS) - absent
    assert document["machine"]["cores"] >= 1
    for row in document["results"]:
        assert row["ours"], row["what"]
        assert len(row["ours"]) == len(row["theirs"])
        assert row["what"] in done.stdout


def test_the_decoder_in_c_sees_what_is_there(tmp_path):
    tally = Decoder().decode(
        b"".join(samples(100)) + b"\x00" + record_frame(0, 0, START_MS, START_MS + 3_600_000, 70_000)
    )
    assert (tally.frames, tally.samples, tally.bad_bytes) == (101, 100, 1)
    assert tally.energy_e4kwh == sum(range(0, 1000, 10))
    count = write_log(tmp_path / "log.pcap", 3_000, 5)
    tally = Decoder().capture(tmp_path / "log.pcap")
    assert (tally.frames, tally.bad_bytes) == (count, 0)


def test_the_decoder_in_c_reads_aa_f5():
    known = known_frames("aaf5")
    tally = Decoder().decode(b"".join(each.frame for each in known) + b"\xaa", "aaf5")
    assert (tally.frames, tally.bad_bytes) == (len(known), 1)
    assert tally.samples == sum(each.type == "104" and len(each.frame) >= 178 for each in known)


def measure(ours, theirs, bound=2.0, **more):
    made = Measure("P0", "a part", "ns", "the other side", bound, **more)
    for mine, other in zip(ours, theirs, strict=True):
        made.add(mine, other)
    return made


def test_a_goal_is_judged_by_its_median_turn():
    assert measure([10, 90, 30], [10, 10, 10], bound=3).is_met
    assert not measure([10, 90, 31], [10, 10, 10], bound=3).is_met
    assert measure([9, 7, 8], [1, 1, 1], bound=8, is_least=True).is_met
    assert not measure([9, 7, 7], [1, 1, 1], bound=8, is_least=True).is_met


@pytest.mark.parametrize(("now", "words"), [([12, 13], "× 0.625 |"), ([19, 26], "(within the spread)")])
def test_two_results_are_laid_beside_each_other_by_their_ratios(now, words):
    old = {"results": [measure([20, 20], [1, 1]).as_json() | {"spread": [18, 21]}]}
    new = {"results": [measure(now, [1, 1]).as_json()]}
    assert words in report.compare(old, new)
