"""P1 and P2: one frame, from bytes to accumulators and from bytes to an event."""

from __future__ import annotations

from pathlib import Path

from bench.limit import Decoder
from bench.measure import Measure, in_turns
from bench.piles import START_MS, pile_no, sample_stream, serial_of
from bench.size import Size
from billing_core.session import ChargingSession
from billing_core.timers import Timers
from gateway.lanes import Lane, Presence, Traffic
from protocol.dialects.ykc_frames import SAMPLE
from protocol.link import Link

_FRAME_BYTES = 68
_READ_BYTES = _FRAME_BYTES * 15  # what a read of a busy link holds


def _reads(stream: bytes) -> list[bytes]:
    return [stream[at : at + _READ_BYTES] for at in range(0, len(stream), _READ_BYTES)]


def _fed(reads: list[bytes], count: int) -> None:
    """Frames cut, checked, decoded, and their samples fed to a session, as the daemon and ``replay`` do it."""
    link = Link()
    session = ChargingSession(serial_of(0, 0), "", 1, START_MS, Timers())
    presence = Presence(pile_no(0), 30_000)
    presence.is_online = True
    lane = Lane(presence, Traffic())
    (first,) = link.receive(reads[0][:_FRAME_BYTES], START_MS)
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


def _construct(bodies: list[bytes]) -> None:
    """The declaration, by construct alone; without envelope and checksum."""
    parse = SAMPLE.body.parse
    for body in bodies:
        parse(body)


def _per_frame(goal: str, bound: float, least: float, ours: object, size: Size) -> list[Measure]:
    stream = sample_stream(size.frames)
    reads, decoder = _reads(stream), Decoder()
    bodies = [stream[at + 6 : at + 66] for at in range(0, 68 * size.slow_frames, 68)]
    words = {_fed: "realtime frame: bytes → accumulators", _told: "realtime frame: bytes → event"}[ours]  # type: ignore[index]
    by_limit = Measure(goal, words, "ns a frame", "plain C decoder", bound)
    by_construct = Measure(goal, f"{words}, times faster", "frames per CPU second", "construct", least, is_least=True)
    turns = in_turns(
        size.rounds,
        lambda: ours(reads, size.frames),  # type: ignore[operator]
        lambda: [decoder.decode(stream) for _ in range(10)],
        lambda: _construct(bodies),
    )
    for mine_ns, limit_ns, construct_ns in turns:
        by_limit.add(mine_ns / size.frames, limit_ns / size.frames / 10)
        by_construct.add(size.frames / mine_ns * 1e9, size.slow_frames / construct_ns * 1e9)
    return [by_limit, by_construct]


def measure_p1(size: Size, directory: Path) -> list[Measure]:
    """Bytes to the session machine's accumulators."""
    return _per_frame("P1", 6, 200, _fed, size)


def measure_p2(size: Size, directory: Path) -> list[Measure]:
    """Bytes to an event object."""
    return _per_frame("P2", 18, 70, _told, size)
