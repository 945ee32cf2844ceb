"""Where the time goes: ``python -m bench.profile replay`` or ``live``; writes a flame graph beside the results."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.daemon import Gateway
from bench.limit import Load
from bench.piles import FIRST_PILE, site_text, write_log

_RESULTS = Path(__file__).parent / "results"
_LINKS = 1_000
_SECONDS = 8
_FRAMES, _PILES = 2_000_000, 200
_MAY_NOT = """what it said stands above.
If it may not look into a process: a container needs --cap-add SYS_PTRACE, another user's process needs root,
and /proc/sys/kernel/yama/ptrace_scope must be 0 or 1 (for WHAT=live: 0, or root)."""


def _spy(out: Path, *what: str) -> None:
    """Sample a process with its C frames; py-spy knows the lines of Python and of Cython."""
    spy = str(Path(sys.executable).parent / "py-spy")
    command = (spy, "record", "--native", "--rate", "200", "--output", str(out), *what)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, timeout=300)  # the bills are of no interest here
    if done.returncode or not out.exists():
        sys.exit(f"py-spy ended with status {done.returncode}: {_MAY_NOT}")


def profile_replay(place: Path, out: Path) -> None:
    """The command line's replay of a long log."""
    log, site = place / "day.pcap", place / "site.toml"
    site.write_text(site_text(_PILES))
    write_log(log, _FRAMES, _PILES)
    _spy(out, "--", sys.executable, "-m", "gateway", "replay", str(log), "--site", str(site))


def profile_live(place: Path, out: Path) -> None:
    """The daemon under the closed loop."""
    gateway = Gateway(place, _LINKS)
    load = Load(gateway.port, _LINKS, FIRST_PILE)
    try:
        load.tell(f"closed 1 1 {_SECONDS * 1000 + 2000}")
        _spy(out, "--threads", "--duration", str(_SECONDS), "--pid", str(gateway.pid))
        load.line()
    finally:
        load.close()
        gateway.close()


def main() -> None:
    """Profile what the command line names."""
    what = {"replay": profile_replay, "live": profile_live}[sys.argv[1]]
    _RESULTS.mkdir(exist_ok=True)
    out = _RESULTS / f"profile-{sys.argv[1]}.svg"
    with tempfile.TemporaryDirectory(prefix="pilegate-profile-") as place:
        what(Path(place), out)
    print(f"open {out} in a browser")


if __name__ == "__main__":
    main()
