"""The real tcpdump on loopback."""

import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest

from gateway.framelog import read_log

_DEADLINE_S = 20


@contextmanager
def tcpdump(path, port):
    """Captures one port into ``path`` while the context lasts; skips when it is missing or may not capture."""
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump: not run, it is not installed")
    command = ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-B", "8192", "-w", str(path), "tcp", "port", str(port)]
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


def lines_upto_close(path, links=1):
    """The capture's lines once it holds the closing of so many links; tcpdump writes a moment later."""
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        lines = list(read_log(path))
        if sum(getattr(line, "kind", "") == "close" for line in lines) >= links:
            return lines
        time.sleep(0.02)
    raise AssertionError(f"the capture never held the closing of {links} links: {lines[-5:]}")
