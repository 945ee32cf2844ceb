"""P1 and P2: one frame, from bytes to accumulators and from bytes to an event."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.limit import Decoder
from bench.measure import Measure, in_turns
from bench.piles import START_MS, charges, pile_no, samples, serial_of
from bench.size import Size
from billing_core.session import ChargingSession
from billing_core.timers import Timers
from gateway.lanes import Lane, Presence, Traffic
from protocol.dialects.ykc_frames import FRAMES
from protocol.link import Link

_FRAMES_A_READ = 15  # what a read of a busy link holds


def _reads(frames: list[bytes]) -> list[bytes]:
    return [b"".join(frames[at : at + _FRAMES_A_READ]) for at in range(0, len(frames), _FRAMES_A_READ)]


def _fed(reads: list[bytes], count: int) -> None:
    """Frames cut, checked, decoded, and their samples fed to a session, as the daemon and ``replay`` do it."""
    link = Link()
    session = ChargingSession(serial_of(0, 0), "", 1, START_MS, Timers())
    presence = Presence(pile_no(0), 30_000)
    presence.is_online = True
    lane = Lane(presence, Traffic())
    (first,) = link.receive(reads[0][:68], START_MS)
    session.take_sample(START_MS, first.energy_e4kwh, first.amount_e4yuan, 3800, 190, 50, first.is_plugged)
    link.remember(0, first, lane)
    lane.follow(session, first.is_plugged)
    for read in reads:
        assert link.receive(read, START_MS) == []
    assert session.sample_count == count + 1, session.sample_count


def _told(reads: list[bytes], count: int) -> None:
    """Every frame to an event."""
    link = Link()
    seen = 0
    for read in reads:
        seen += len(link.receive(read, START_MS))
    assert seen == count, seen


def _construct(bodies: list[tuple[Callable[[bytes], object], bytes]]) -> None:
    """The declarations, by construct alone; without envelope and checksum."""
    for parse, body in bodies:
        parse(body)


def _per_frame(
    goal: str,
    words: str,
    bounds: tuple[float, float],
    ours: Callable[[list[bytes], int], None],
    frames: list[bytes],
    size: Size,
) -> list[Measure]:
    reads, stream, decoder = _reads(frames), b"".join(frames), Decoder()
    bodies = [(FRAMES[frame[5]][1].body.parse, frame[6:-2]) for frame in frames[: size.slow_frames]]
    by_limit = Measure(goal, words, "ns a frame", "plain C decoder", bounds[0])
    by_construct = Measure(
        goal, f"{words}, times faster", "frames per CPU second", "construct", bounds[1], is_least=True
    )
    turns = in_turns(
        size.rounds,
        lambda: ours(reads, len(frames)),
        lambda: [decoder.decode(stream) for _ in range(10)],
        lambda: _construct(bodies),
    )
    for mine_ns, limit_ns, construct_ns in turns:
        by_limit.add(mine_ns / len(frames), limit_ns / len(frames) / 10)
        by_construct.add(len(frames) / mine_ns * 1e9, len(bodies) / construct_ns * 1e9)
    return [by_limit, by_construct]


def measure_p1(size: Size, directory: Path) -> list[Measure]:
    """Bytes to the session machine's accumulators."""
    return _per_frame("P1", "realtime frame: bytes → accumulators", (6, 200), _fed, samples(size.frames), size)


def measure_p2(size: Size, directory: Path) -> list[Measure]:
    """Bytes to an event object: the realtime frame alone, and all that a charge consists of."""
    bounds = (18, 70)
    alone = _per_frame("P2", "realtime frame: bytes → event", bounds, _told, samples(size.frames), size)
    return alone + _per_frame("P2", "a charge's frames: bytes → events", bounds, _told, charges(size.frames), size)
