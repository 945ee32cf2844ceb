"""The plain programs in C: built on demand, driven line by line.

``decoder.c`` is loaded into this process, ``server.c`` and ``load.c`` run on their own.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_BUILD = _HERE.parents[1] / "build" / "limit"
_FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror")
_ANSWER_S = 120


def built(name: str) -> Path:
    """The compiled program or library of ``name``.c, made when its source is newer."""
    target = _BUILD / (f"lib{name}.so" if name == "decoder" else name)
    sources = (_HERE / f"{name}.c", _HERE / "ykc.h")
    if not target.exists() or any(source.stat().st_mtime > target.stat().st_mtime for source in sources):
        _BUILD.mkdir(parents=True, exist_ok=True)
        shape = ("-shared", "-fPIC") if name == "decoder" else ()
        fresh = target.with_suffix(f".{os.getpid()}")
        subprocess.run(
            (os.environ.get("CC", "cc"), *_FLAGS, *shape, "-o", str(fresh), str(sources[0])), check=True, timeout=60
        )
        fresh.replace(target)
    return target


class _Sample(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint8 * 38), ("shorts", ctypes.c_uint16 * 5), ("ints", ctypes.c_uint32 * 3)]


class Tally(ctypes.Structure):
    """What the decoder counted."""

    _fields_ = [
        ("frames", ctypes.c_uint64),
        ("samples", ctypes.c_uint64),
        ("bad_bytes", ctypes.c_uint64),
        ("energy_e4kwh", ctypes.c_uint64),
        ("last", _Sample),
    ]


class Decoder:
    """The plain decoder."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(built("decoder")))
        self._library.limit_begin()
        for decode in (self._library.limit_decode, self._library.limit_decode_aaf5):
            decode.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(Tally))
            decode.restype = None
        self._library.limit_capture.argtypes = (ctypes.c_char_p, ctypes.POINTER(Tally))

    def decode(self, data: bytes, dialect: str = "ykc") -> Tally:
        """Decode frames that stand one behind the other."""
        tally = Tally()
        decode = self._library.limit_decode if dialect == "ykc" else self._library.limit_decode_aaf5
        decode(data, len(data), tally)
        return tally

    def capture(self, path: Path) -> Tally:
        """Decode every read and write in a capture of the daemon."""
        tally = Tally()
        status = self._library.limit_capture(str(path).encode(), tally)
        assert status == 0, status
        return tally


class Process:
    """A program that is told lines and answers in lines."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def line(self) -> str:
        """The next line that it prints. Raises ``RuntimeError`` when it ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with status {self._process.wait(5)}")
        return line

    def tell(self, line: str) -> None:
        """Hand it one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Let it end."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Server(Process):
    """The plain server, listening."""

    def __init__(self) -> None:
        super().__init__(str(built("server")))
        self.port = int(self.line())


class Load(Process):
    """The load generator with its links open and logged in.

    Args:
        port: whom it drives.
        links: how many piles.
        first_pile: number of the first of them.
    """

    def __init__(self, port: int, links: int, first_pile: int) -> None:
        super().__init__(str(built("load")), str(port), str(links), str(first_pile))
        assert json.loads(self.line())["links"] == links

    def run(self, order: str) -> dict[str, Any]:
        """Obey one line of those in the head of ``load.c``; returns what it measured."""
        self.tell(order)
        return dict(json.loads(self.line()))
