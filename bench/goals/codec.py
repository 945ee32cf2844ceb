"""P1 and P2: one frame, from bytes to accumulators and from bytes to an event; P2 of every type that piles send too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from bench.limit import Decoder
from bench.measure import Measure, in_turns
from bench.piles import START_MS, KnownFrame, charges, known_frames, pile_no, samples, serial_of
from bench.size import Size
from billing_core.session import ChargingSession
from billing_core.timers import Timers
from gateway.lanes import Lane, Presence, Traffic
from protocol.dialects.aaf5_frames import form_of
from protocol.dialects.ykc_frames import FRAMES, layout_of
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


_ONCE = {"login"}  # once a link, and looked at by it


def _body_reader(known: KnownFrame) -> tuple[Callable[[bytes], object], bytes] | None:
    """The declaration by construct and a body; ``None`` for less than the whole of a layout that grew."""
    if known.protocol == "ykc":
        body = known.frame[6:-2]
        form = layout_of(known.frame[5], len(body))
    else:
        body = known.frame[8:-1]
        found = form_of("up", int(known.type), body, known.protocol.partition("-")[2])
        form = found.layout if found else None
    return (form.body.parse, body) if form is not None and len(body) >= form.size else None


def _again(times: int, work: Callable[[], object]) -> None:
    """Do it again and again, and keep nothing: what is kept is the collector's to look through."""
    for _ in range(times):
        work()


def _of_type(known: KnownFrame, decoder: Decoder, size: Size) -> tuple[Measure, Measure | None]:
    """One type beside the decoder, and beside construct where that reads the body."""
    count = max(size.frames // 10, _FRAMES_A_READ) // _FRAMES_A_READ
    link, read = Link(protocol=known.protocol), known.frame * _FRAMES_A_READ
    dialect, stream, reader = known.protocol.partition("-")[0], known.frame * 1_000, _body_reader(known)
    parses = max(size.slow_frames // 10, 2)
    name = f"{known.type} {known.layout}"
    by_limit = Measure("P2", name, "ns a frame", "plain C decoder", 18)
    by_construct = Measure("P2", name, "frames per CPU second", "construct", 70, is_least=True)
    sides: list[Callable[[], object]] = [
        lambda: _again(count, lambda: link.receive(read, START_MS)),
        lambda: _again(10, lambda: decoder.decode(stream, dialect)),
        lambda: _again(parses, lambda: reader[0](reader[1])) if reader else None,
    ]
    for mine_ns, limit_ns, construct_ns in in_turns(size.rounds, *sides):
        by_limit.add(mine_ns / count / _FRAMES_A_READ, limit_ns / 10_000)
        by_construct.add(count * _FRAMES_A_READ / mine_ns * 1e9, parses / max(construct_ns, 1) * 1e9)
    return by_limit, by_construct if reader else None


def _extremes(family: str, measures: list[Measure]) -> list[Measure]:
    """The worst and the median type, each named in its unit."""
    ordered = sorted(measures, key=lambda each: each.ratio * (-1 if each.is_least else 1))
    worst, middle = ordered[-1], ordered[len(ordered) // 2]
    words = ", times faster" if worst.is_least else ""
    named = [
        (f"any {family} frame, the worst type{words}", worst),
        (f"any {family} frame, the median type{words}", middle),
    ]
    every = {"ratio of each type": {each.what: round(each.ratio, 2) for each in ordered}}
    return [
        dataclasses.replace(each, what=what, unit=f"{each.unit} ({each.what})", noted=every) for what, each in named
    ]


def _any_frame(family: str, dialect: str, size: Size) -> list[Measure]:
    decoder = Decoder()
    known = [each for each in known_frames(dialect) if each.layout not in _ONCE]
    pairs = [_of_type(each, decoder, size) for each in known]
    by_limit = [limit for limit, _ in pairs]
    return _extremes(family, by_limit) + _extremes(family, [each for _, each in pairs if each is not None])


def measure_p2(size: Size, directory: Path) -> list[Measure]:
    """Bytes to an event object: the realtime frame, all that a charge consists of, and every type but the login."""
    bounds = (18, 70)
    alone = _per_frame("P2", "realtime frame: bytes → event", bounds, _told, samples(size.frames), size)
    charge = _per_frame("P2", "a charge's frames: bytes → events", bounds, _told, charges(size.frames), size)
    return alone + charge + _any_frame("YKC", "ykc", size) + _any_frame("AA F5", "aaf5", size)
