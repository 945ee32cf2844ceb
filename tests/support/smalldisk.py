"""A disk that can be full: a small tmpfs where mounting is allowed, else a limit on the size of files."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

_SIZE = "8m"
_UNLIMITED = resource.RLIM_INFINITY


class Tmpfs:
    """A mounted tmpfs, filled by a file of ballast."""

    name = "tmpfs"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._ballast = directory / "ballast"

    def fill(self, pid: int) -> None:
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (65_536, 4_096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(bytes(size))

    def free(self, pid: int) -> None:
        self._ballast.unlink()


class SizeLimit:
    """No file of the daemon may grow beyond what it has: every write fails, the log's too."""

    name = "limit"

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def fill(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, _UNLIMITED))

    def free(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_UNLIMITED, _UNLIMITED))


@contextlib.contextmanager
def small_disk(directory: Path, *, kind: str) -> Iterator[Tmpfs | SizeLimit]:
    """A directory whose disk can be filled and freed; without the right to mount, ``limit`` stands in for ``tmpfs``."""
    disk = directory / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(disk)]
    if kind == "tmpfs" and os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0:
        try:
            yield Tmpfs(disk)
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
    else:
        yield SizeLimit(disk)
