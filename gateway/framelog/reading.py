"""One door to all three forms of frame logs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from gateway.framelog.capture import USER0, file_header, read_capture
from gateway.framelog.lines import LogDamage, LogLine
from gateway.framelog.pcapfile import FILE_HEADER_BYTES, MAGICS, Packet, packets
from gateway.framelog.scan import CaptureReader, ShortWay
from gateway.framelog.sources import Source
from gateway.framelog.tcpdump import read_tcpdump
from gateway.framelog.text import read_text

_SNIFFED_BYTES = 4096


def read_log(
    path: Path | str,
    *,
    pile_ports: Collection[int] = (),
    short: ShortWay | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[LogLine | LogDamage]:
    """Stream a frame log; its first bytes tell which of the three forms it has.

    Lines come in the order of the file. Damage is told in its place; behind a damaged line of a text log
    reading goes on, behind a damaged packet it ends.

    Args:
        path: the file, compressed when it ends in ``.gz`` or ``.zst``.
        pile_ports: for tcpdump captures, the TCP ports that piles connect to; empty for any.
        short: lines of the daemon's own captures that may be spared, see ``scan.pyx``.
        on_progress: told how many bytes of the file were read, compressed as they are, now and then.

    Raises ``OSError`` when the file cannot be read.
    """
    source = Source(Path(path))
    chunks = source.chunks()
    head = next(chunks, b"")
    while 0 < len(head) < 4 and (more := next(chunks, b"")):
        head += more
    everything = itertools.chain((head,), chunks) if head else iter(())
    end = 0

    def counted() -> Iterator[bytes]:
        nonlocal end
        for chunk in everything:
            end += len(chunk)
            if on_progress is not None:
                on_progress(source.read_bytes)
            yield chunk

    if head[:FILE_HEADER_BYTES] == file_header():
        yield from CaptureReader(source.name, counted(), short)
    elif head[:4] in MAGICS:
        yield from _read_packets(source.name, packets(source.name, counted()), pile_ports)
    elif b"\0" in head[:_SNIFFED_BYTES]:
        yield LogDamage(source.name, 0, "neither a text log nor a capture")
        return
    else:
        yield from read_text(source.name, counted())
    if source.damage is not None:
        yield LogDamage(source.name, end, source.damage)


def _read_packets(
    name: str, found: Iterator[Packet | LogDamage], pile_ports: Collection[int]
) -> Iterator[LogLine | LogDamage]:
    first = next(found, None)
    if first is None:
        return
    found = itertools.chain((first,), found)
    if isinstance(first, Packet) and first.link_type == USER0:
        yield from read_capture(name, found)
    else:
        yield from read_tcpdump(name, found, pile_ports)
