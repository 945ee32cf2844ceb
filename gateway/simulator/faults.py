"""What can go wrong with piles and their lines, as named profiles."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.simulator.plan import ClockFault, Gap, PilePlan, RecordFate, Visit


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """One way in which things go wrong. Rates are per thousand frames sent.

    Attributes:
        hold_ms: frames are held back this long and leave in one piece.
        clocks: one of these is wrong with the pile's clock.
        fates: one of these befalls every other record.
        flood_frames: so many heartbeats in one go, once.
        read_bytes: the pile reads no more than this at a time, with pauses; 0 reads what comes.
    """

    name: str
    text: str
    cut_permille: int = 0
    half_permille: int = 0
    garbage_permille: int = 0
    hold_ms: int = 0
    clocks: tuple[ClockFault, ...] = ()
    fates: tuple[RecordFate, ...] = ()
    loses_power: bool = False
    resets_meter: bool = False
    flood_frames: int = 0
    read_bytes: int = 0


_SINGLE = (
    FaultProfile("cut-link", "the connection breaks, also in the middle of a frame", cut_permille=30),
    FaultProfile("half-frames", "frames arrive in two parts with a pause between", half_permille=500),
    FaultProfile("coalesced", "several frames arrive in one read", hold_ms=1_000),
    FaultProfile("garbage", "random bytes stand between frames", garbage_permille=150),
    FaultProfile("duplicate-records", "records come again after their acknowledgement", fates=(RecordFate.TWICE,)),
    FaultProfile(
        "conflicting-record",
        "records come again with other content",
        fates=(RecordFate.CONFLICTING,),
    ),
    FaultProfile("no-record", "charges end without a record", fates=(RecordFate.NONE,)),
    FaultProfile(
        "clock-1999",
        "day, month and year are zero, which readers show as 1999",
        clocks=(ClockFault.ZERO_DATE,),
    ),
    FaultProfile("clock-2000", "the clock began at 2000-01-01", clocks=(ClockFault.EPOCH_2000,)),
    FaultProfile("clock-ahead", "the clock is one hour ahead", clocks=(ClockFault.AHEAD_1H,)),
    FaultProfile("power-loss", "the mains fail while cars charge", loses_power=True),
    FaultProfile("register-reset", "the meter register begins again at zero while a car charges", resets_meter=True),
    FaultProfile("slow-reader", "the pile reads a few bytes at a time", read_bytes=8),
    FaultProfile("flood", "one burst of thousands of frames", flood_frames=5_000),
)
NONE = FaultProfile("none", "nothing goes wrong")
MIXED = FaultProfile("mixed", "each pile has one of the others, or nothing")
PROFILES = {profile.name: profile for profile in (NONE, *_SINGLE, MIXED)}


def profile_for(name: str, rng: random.Random) -> FaultProfile:
    """The profile of one pile. Raises ``KeyError`` for an unknown name."""
    found = PROFILES[name]
    return rng.choice((NONE, *_SINGLE)) if found is MIXED else found


def afflict(plan: PilePlan, profile: FaultProfile, rng: random.Random) -> PilePlan:
    """The plan with the profile's faults of the pile itself written into it."""
    visits = tuple(
        tuple(_afflicted(visit, index, len(row), profile, rng) for index, visit in enumerate(row))
        for row in plan.visits
    )
    plan = replace(plan, visits=visits)
    if profile.clocks:
        plan = replace(plan, clock=rng.choice(profile.clocks))
    if profile.loses_power and visits and visits[0]:
        first = visits[0][0]
        after_ms = first.wait_ms + first.prepare_ms + first.charge_ms // 2
        plan = replace(plan, power_losses=(Gap(after_ms, 20_000),))
    return plan


def _afflicted(visit: Visit, index: int, count: int, profile: FaultProfile, rng: random.Random) -> Visit:
    if profile.fates and index % 2 == 0:
        visit = replace(visit, record=rng.choice(profile.fates))
    if profile.resets_meter and (index % 2 == 1 or count == 1):
        visit = replace(visit, is_meter_reset=True)
    return visit


@dataclass(frozen=True, slots=True)
class Chunk:
    """One write: a pause before it, and whether the connection breaks behind it."""

    data: bytes
    pause_ms: int = 0
    is_cut: bool = False


class FaultyWire:
    """What becomes of frames on the way to the socket.

    Args:
        rng: seeded; equal seeds break equal frames.
    """

    def __init__(self, profile: FaultProfile, rng: random.Random) -> None:
        self.profile = profile
        self._rng = rng
        self._flood_frames = profile.flood_frames

    def chunks(self, frames: Sequence[bytes]) -> list[Chunk]:
        """The writes for these frames, in order; nothing follows a cut."""
        if self.profile.hold_ms:
            return [Chunk(b"".join(frames))] if frames else []
        chunks: list[Chunk] = []
        for frame in frames:
            chunks += self._one(frame)
            if chunks[-1].is_cut:
                break
        return chunks

    def _one(self, frame: bytes) -> list[Chunk]:
        rng, profile = self._rng, self.profile
        if self._hits(profile.cut_permille):
            return [Chunk(frame[: rng.randrange(len(frame) + 1)], is_cut=True)]
        if self._hits(profile.garbage_permille):
            return [Chunk(rng.randbytes(rng.randrange(1, 60))), Chunk(frame)]
        if self._hits(profile.half_permille):
            at = rng.randrange(1, len(frame))
            return [Chunk(frame[:at]), Chunk(frame[at:], pause_ms=rng.randrange(20, 500))]
        if self._flood_frames and frame[5] == 0x03:
            count, self._flood_frames = self._flood_frames, 0
            return [Chunk(frame * count)]
        return [Chunk(frame)]

    def _hits(self, permille: int) -> bool:
        return permille > 0 and self._rng.randrange(1_000) < permille
