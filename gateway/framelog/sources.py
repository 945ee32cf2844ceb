"""Bytes of a log file, plain or compressed, in chunks of bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

_PLAIN_BYTES = 1 << 16  # larger ones come from fresh pages every time, which costs more than the calls
_GZIP_BYTES = 1 << 16
_GZIP_OUT_BYTES = 1 << 20
# One zstd block of 4 bytes may stand for 128 KiB, so a small bite is what bounds the memory.
_ZSTD_BYTES = 512
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_HEADER = 31  # zlib's window bits for a gzip stream


class Source:
    """A log file as a stream of chunks.

    ``chunks()`` ends quietly at damage of the compression; ``damage`` then holds the reason. ``read_bytes`` of the file
    were read so far, compressed as they are.

    Args:
        path: compressed when its suffix is ``.gz`` or ``.zst``, or its first bytes say so.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.damage: str | None = None
        self.read_bytes = 0
        self._path = path

    def chunks(self) -> Iterator[bytes]:
        """The file's content from its beginning, decompressed. Raises ``OSError`` when it cannot be read."""
        with self._path.open("rb", buffering=0) as file:
            magic = file.read(4)
            file.seek(0)
            suffix = self._path.suffix
            if suffix == ".gz" or magic.startswith(_GZIP_MAGIC):
                yield from self._gunzipped(file)
            elif suffix == ".zst" or magic == _ZSTD_MAGIC:
                yield from self._unzstd(file)
            else:
                while chunk := self._read(file, _PLAIN_BYTES):
                    yield chunk

    def _read(self, file: BinaryIO, size: int) -> bytes:
        chunk = file.read(size)
        self.read_bytes += len(chunk)
        return chunk

    def _gunzipped(self, file: BinaryIO) -> Iterator[bytes]:
        engine = zlib.decompressobj(_GZIP_HEADER)
        is_begun = False
        while chunk := self._read(file, _GZIP_BYTES):
            while chunk:
                if engine.eof:  # several members behind each other, or zeros that pad a tape
                    chunk = chunk.lstrip(b"\0")
                    if not chunk:
                        break
                    engine = zlib.decompressobj(_GZIP_HEADER)
                    is_begun = False
                before = engine.copy()
                is_begun = True
                try:
                    plain = engine.decompress(chunk, _GZIP_OUT_BYTES)
                except zlib.error as error:
                    self.damage = f"gzip: {error}"
                    yield from _last_good(before, chunk)
                    return
                if plain:
                    yield plain
                chunk = engine.unused_data if engine.eof else engine.unconsumed_tail
        if is_begun and not engine.eof:
            self.damage = "gzip: the compressed file is cut off"

    def _unzstd(self, file: BinaryIO) -> Iterator[bytes]:
        engine = zstandard.ZstdDecompressor().decompressobj()
        is_begun = False
        while chunk := self._read(file, _ZSTD_BYTES):
            while chunk:
                if engine.eof:
                    engine = zstandard.ZstdDecompressor().decompressobj()
                is_begun = True
                try:
                    plain = engine.decompress(chunk)
                except zstandard.ZstdError as error:
                    self.damage = f"zstd: {error}"
                    return
                if plain:
                    yield plain
                chunk = engine.unused_data if engine.eof else b""
        if is_begun and not engine.eof:
            self.damage = "zstd: the compressed file is cut off"


def _last_good(engine: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    """What the bytes before the damage still yield, one byte at a time."""
    for at in range(len(chunk)):
        try:
            plain = engine.decompress(chunk[at : at + 1])
        except zlib.error:
            return
        if plain:
            yield plain
