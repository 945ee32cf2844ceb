"""Feeds the compiled cores of ``protocol/`` with bytes of every kind, under ASan and UBSan.

Run by ``make sanitize``; a mistake ends the process with the sanitizer's report. Prints its seed; given again it
repeats the run: ``make sanitize SEED=7 SECONDS=600``.
"""

import random
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import protocol.codec
from protocol.codec import byte_sum, checksum
from protocol.detect import DIALECTS
from protocol.dialect import UP
from protocol.dialects import aaf5
from protocol.dialects.aaf5_frames import PROFILES
from protocol.dialects.aaf5_wire import enclose
from protocol.dialects.ykc import facts_of
from protocol.dialects.ykc_frames import FRAMES as KNOWN
from protocol.ear import Asked, Ear
from protocol.errors import FieldError, LocalProtocolError
from protocol.events import FrameRefused
from protocol.framer import cut_of
from protocol.link import Link
from protocol.repeats import BEAT, REPORT, SAMPLE, SENT, Noted
from tests.support.bodies import every_layout
from tests.support.frames import good_frames
from tests.support.wire import frame

FRAMES = good_frames("ykc")
KINDS = [*KNOWN, 0xEE]
LAYOUTS = list(every_layout().values())
STARTS = (b"\x68", b"\xaa\xf5", b"\x68\xff", b"\xaa\xf5\xff\x03", b"\r\n")


def stream(rng: random.Random) -> bytes:
    """Good frames, damaged ones, torn ones, starts of frames and noise."""
    parts = []
    for _ in range(rng.randrange(1, 12)):
        one = bytearray(rng.choice(FRAMES))
        match rng.randrange(6):
            case 0:
                one[rng.randrange(len(one))] ^= rng.randrange(1, 256)
            case 1:
                del one[rng.randrange(len(one)) :]
            case 2:
                one = bytearray(rng.randbytes(rng.randrange(40)))
            case 3:
                one = bytearray(rng.choice(STARTS))
            case 4:
                one = bytearray(frame(rng.randrange(256), rng.randbytes(rng.randrange(252)), enc=rng.randrange(3)))
        parts.append(bytes(one))
    return b"".join(parts)


def pieces(rng: random.Random, data: bytes):
    """The stream in reads of any size."""
    while data:
        size = rng.choice((1, 2, 5, 17, 90, 300, 5000))
        yield data[:size]
        data = data[size:]


def fuzz_framers(rng: random.Random) -> None:
    for dialect in DIALECTS:
        framer = dialect.framer(UP, rng.choice((259, 1024, 4096)))
        for piece in pieces(rng, stream(rng)):
            for cut in framer.feed(piece):
                assert cut.data


def fuzz_links(rng: random.Random) -> None:
    link, taker = Link(), Noted((BEAT, SAMPLE, REPORT, SENT))
    for at_ms, piece in enumerate(pieces(rng, stream(rng) * 2)):
        for index, fact in enumerate(link.receive(piece, at_ms)):
            if not isinstance(fact, FrameRefused) and rng.random() < 0.3:
                link.remember(index, fact, taker)
        link.observe_sent(piece, at_ms)


def fuzz_facts(rng: random.Random) -> None:
    frames = [frame(rng.choice(KINDS), rng.randbytes(rng.randrange(252)), enc=rng.random() < 0.05) for _ in range(8)]
    frames += [rng.randbytes(rng.randrange(12))]
    for one in frames:
        fact = facts_of().read(one, rng.randrange(-1, 2**62), rng.choice((1, 100)))
        assert fact is None or repr(fact)
    hear_all(Ear(facts_of()), frames)
    profile = rng.choice(PROFILES)
    facts = aaf5.facts_of(profile)
    commands = [command for command, _, _ in aaf5.declared(profile)]
    frames = [enclose(rng.choice(commands), rng.randbytes(rng.choice((10, 44, 178, 300, 410)))) for _ in range(8)]
    hear_all(Ear(facts, Asked()), frames)


def hear_all(ear: Ear, frames: list[bytes]) -> None:
    """Make known what can be told, and hear it all again."""
    link = SimpleNamespace(started={}, clock_ms=0, connector_for=lambda card: 1)
    for one in frames:
        ear.know(one, ear.facts.read(one, 1, 1, 1, "0" * 14, link))
    for fact in ear.hear([cut_of(one, 0, "") for one in frames * 2], 1, lambda cut, at_ms: None):
        assert fact is None or repr(fact)


def fuzz_codec(rng: random.Random) -> None:
    layout = rng.choice(LAYOUTS)
    body = rng.randbytes(max(0, layout.size + rng.randrange(-8, 40)))
    checksum(body)
    byte_sum(body)
    try:
        raw = layout.read(body)
    except FieldError:
        return
    assert layout.write(raw) == body
    if raw:
        raw[rng.choice(list(raw))] = rng.choice((None, -1, 2**70, "XY", b"", [], [{}], "00" * 300))
        try:
            layout.write(raw)
        except LocalProtocolError:
            return


def main(seed: int, seconds: int) -> None:
    """Fuzz for so long."""
    origin = Path(protocol.codec.__file__).resolve()
    assert "sanitize" in origin.parts, f"{origin} is not the instrumented build"
    print(f"seed {seed}, {seconds} s, {origin.parent}")
    rng = random.Random(seed)
    rounds, until_s = 0, time.monotonic() + seconds
    while time.monotonic() < until_s:
        fuzz_framers(rng)
        fuzz_links(rng)
        fuzz_facts(rng)
        for _ in range(20):
            fuzz_codec(rng)
        rounds += 1
    assert rounds > 0
    print(f"{rounds} rounds, nothing found")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
