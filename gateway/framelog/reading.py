"""One door to all forms of frame logs: the form is told by the content, the compression by the suffix."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from gateway.framelog.capture import LINK_TYPE, read_capture
from gateway.framelog.lines import LogDamage, LogLine
from gateway.framelog.pcapfile import PCAPNG_MAGIC, is_pcap, link_type_of
from gateway.framelog.tcpdump import read_tcpdump
from gateway.framelog.text import read_text


def open_log(path: Path) -> BinaryIO:
    """The bytes of a log, decompressed. Raises ``OSError``."""
    name = path.name.lower()
    if name.endswith(".gz"):
        return io.BufferedReader(gzip.open(path, "rb"), 1 << 20)  # type: ignore[arg-type]
    if name.endswith(".zst"):
        raw = open(path, "rb")  # noqa: SIM115 - closed with the reader
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True)
        return io.BufferedReader(reader, 1 << 20)  # type: ignore[type-var,return-value]
    return open(path, "rb", buffering=1 << 20)


def read_log(path: Path, *, pile_ports: tuple[int, ...] = ()) -> Iterator[LogLine | LogDamage]:
    """The lines of a frame log, streamed.

    Args:
        path: a text log, a capture of the daemon, or a tcpdump capture; ``.gz`` and ``.zst`` are decompressed.
        pile_ports: ports that piles connect to, for tcpdump captures; without them the side that was
            connected to, or else the side that sends logins, counts as the gateway's.
    """
    source = str(path)
    try:
        stream = open_log(path)
        head = stream.peek(64)[:64]  # type: ignore[attr-defined]
    except (OSError, EOFError, zstandard.ZstdError) as error:
        yield LogDamage(source, 0, f"the file cannot be opened: {error}")
        return
    with stream:
        try:
            if is_pcap(head) and link_type_of(head) == LINK_TYPE:
                yield from read_capture(stream, source)
            elif is_pcap(head) or head[:4] == PCAPNG_MAGIC:
                yield from read_tcpdump(stream, source, pile_ports)
            else:
                yield from read_text(stream, source)
        except (OSError, EOFError, zstandard.ZstdError) as error:
            yield LogDamage(source, 0, f"the file cannot be read further: {error}")
