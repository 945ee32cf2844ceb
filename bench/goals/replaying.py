"""P3: a capture file to bills, as the command line does it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from bench.limit import Decoder
from bench.measure import Measure, cpu_ns
from bench.piles import site_text, write_log
from bench.size import Size

_ROOT = Path(__file__).parents[2]
_ROUNDS_MAX = 3


def _replayed(log: Path, site: Path, jobs: int) -> tuple[float, float, int, int]:
    """(wall seconds, CPU seconds, bills, peak bytes) of ``pilegate replay``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_s = time.monotonic()
    command = [sys.executable, "-m", "gateway", "replay", str(log), "--site", str(site), "--json"]
    if jobs > 1:
        command += ["--jobs", str(jobs)]
    measured = [sys.executable, "-c", _PEAK, *command]
    done = subprocess.run(measured, cwd=_ROOT, capture_output=True, timeout=600, check=False)
    wall_s = time.monotonic() - began_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in (0, 1), done.stderr.decode()[-2000:]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = int(done.stderr.splitlines()[-1])
    return wall_s, cpu_s, sum(1 for line in done.stdout.splitlines() if json.loads(line)), peak


def _best(log: Path, site: Path, tries: int) -> tuple[float, int, int]:
    """(CPU seconds, bills, peak bytes) of the quickest of some turns with one process."""
    _, cpu_s, bills, peak = min((_replayed(log, site, 1) for _ in range(tries)), key=lambda turn: turn[1])
    return cpu_s, bills, peak


# Runs a command and prints the most memory that it or its children had, bytes.
_PEAK = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(status)
"""


def measure_p3(size: Size, directory: Path) -> list[Measure]:
    """Replay beside the plain decoder over the same file; two processes beside one; long logs beside short."""
    log, short, empty = directory / "day.pcap", directory / "hour.pcap", directory / "start.pcap"
    longer = directory / "days.pcap"  # so that two processes have something to do
    site = directory / "site.toml"
    site.write_text(site_text(size.log_piles))
    frames = write_log(log, size.log_frames, size.log_piles)
    short_frames = write_log(short, size.log_frames // 4, size.log_piles)
    write_log(empty, 0, size.log_piles)
    longer_frames = write_log(longer, 4 * size.log_frames, size.log_piles)
    decoder = Decoder()
    by_limit = Measure("P3", "replay: capture → bills, one process", "ns a frame", "plain C decoder", 20)
    by_jobs = Measure("P3", "replay: two processes, times faster", "frames a second", "one process", 1.8, is_least=True)
    by_length = Measure("P3", "replay: memory for a log four times as long", "MB", "the shorter log", 1.1)
    tries = max(1, size.rounds // 2)  # a start takes as long as the replay, and is not always the same
    for _ in range(min(_ROUNDS_MAX, size.rounds)):
        limit_ns = min(cpu_ns(lambda: decoder.capture(log)) for _ in range(tries))
        start_s, _, _ = _best(empty, site, tries)
        cpu_s, bills, peak = _best(log, site, tries)
        by_limit.add((cpu_s - start_s) * 1e9 / frames, limit_ns / frames)
        by_limit.noted |= {"frames": frames, "bills": bills, "start_s": start_s, "cpu_s": cpu_s}
        _, _, _, short_peak = _replayed(short, site, 1)
        by_length.add(peak / 1e6, short_peak / 1e6)
        by_length.noted["frames"] = [frames, short_frames]
        _add_shared(by_jobs, longer, empty, site, longer_frames)
    return [by_limit, by_length, by_jobs]


def _add_shared(by_jobs: Measure, log: Path, empty: Path, site: Path, frames: int) -> None:
    """One turn of one process and of two, by the wall; what a start takes is left out on both sides."""
    walls, used = [], []
    bills = set()
    for jobs in (1, 2):
        start_s, start_cpu_s, _, _ = _replayed(empty, site, jobs)
        wall_s, cpu_s, count, _ = _replayed(log, site, jobs)
        walls.append(max(wall_s - start_s, 0.001))
        used.append(cpu_s - start_cpu_s)
        bills.add(count)
    assert len(bills) == 1, "the same bills"
    by_jobs.add(frames / walls[1], frames / walls[0])
    by_jobs.noted |= {"frames": frames, "bills": bills.pop(), "cpu_s": used}
