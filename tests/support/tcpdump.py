"""The real tcpdump on loopback."""

import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest

from gateway.framelog import LogDamage, LogLine, read_log

_DEADLINE_S = 20


@contextmanager
def tcpdump(path, port):
    """Captures one port of 127.0.0.1 into ``path`` while the context lasts; skips when it may not.

    Whoever else dials that port, such as a pile of another test whose gateway had it before, is captured too.
    """
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump: not run, it is not installed")
    what = f"tcp port {port} and ip host 127.0.0.1"
    command = ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-B", "8192", "-w", str(path), what]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        for line in process.stderr:
            said = line.strip()
            if "listening on" in line:
                break
        else:
            pytest.skip(f"tcpdump: not run, it may not capture here ({said})")
        try:
            yield
        finally:
            process.terminate()


def lines_of(links, path, **how):
    """What a capture tells of these links, and of damage."""
    return [line for line in read_log(path, **how) if isinstance(line, LogDamage) or line.link in links]


def lines_upto_close(path, links):
    """The same, once all of them are closed; tcpdump writes a moment later."""
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        lines = lines_of(links, path)
        if {line.link for line in lines if isinstance(line, LogLine) and line.kind == "close"} == set(links):
            return lines
        time.sleep(0.02)
    raise AssertionError(f"the capture never held the closing of {links}: {lines[-5:]}")
