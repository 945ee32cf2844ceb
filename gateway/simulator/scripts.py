"""Scripts for a whole site of simulated piles, drawn from a seed, and what a gateway must know of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.simulator.aaf5_editions import EDITIONS
from gateway.simulator.faults import FaultProfile, afflict, profile_for
from gateway.simulator.plan import PilePlan, Visit
from protocol.dialects.aaf5_frames import OP30, SH16, SH26, SH40, SH52, SL

DC_W, AC_W = 60_000, 7_000


@dataclass(frozen=True, slots=True)
class Cast:
    """One pile of a fleet and what is wrong with its line."""

    plan: PilePlan
    profile: FaultProfile


_FAMILY = tuple(f"aaf5-{profile}" for profile in (SL, SH26, SH52, SH40, OP30, SH16, SH52))  # what cards can start
_EDITIONS = {f"aaf5-{profile}": (f"aaf5-{profile}",) for profile in EDITIONS}
_SPOKEN = {
    "ykc": ("ykc",),
    "aaf5": _FAMILY,
    "mixed": ("ykc", "aaf5-sh52", "ykc", "aaf5-sh26"),
    **_EDITIONS,
}
PROTOCOLS = tuple(_SPOKEN)
_MORE_KEYS = {"aaf5-lv34": 'options = ["lv34-start"]\n'}  # nobody published a start; without one these piles only wait


def protocol_of(number: int, protocol: str) -> str:
    """What the n-th pile of a fleet speaks."""
    spoken = _SPOKEN[protocol]
    return spoken[number % len(spoken)]


def pile_id(number: int, protocol: str = "ykc") -> str:
    """The id of the n-th simulated pile, from 1: 14 digits, or letters and digits where its protocol has such."""
    return f"SIM{number:011d}" if protocol_of(number, protocol).startswith("aaf5") else f"99{number:012d}"


def card_uid(number: int) -> str:
    """The card that the cars of the n-th pile swipe, 16 hex digits."""
    return f"{0xCA000000 + number:016X}"


def vin(number: int) -> str:
    """The VIN of the cars of the n-th pile, 17 characters."""
    return f"LSIM{number:013d}"


def cast_fleet(
    piles: int,
    *,
    seed: int,
    faults: str = "none",
    sessions_per_connector: int = 1,
    charge_ms: tuple[int, int] = (60_000, 180_000),
    registers: Mapping[tuple[str, int], int] | None = None,
    protocol: str = "ykc",
) -> list[Cast]:
    """The piles of a fleet.

    Args:
        piles: how many; every third is an AC pile with one connector, the others are DC with two.
        seed: equal seeds, equal casts.
        faults: name of a profile. Raises ``KeyError`` for an unknown one.
        sessions_per_connector: cars that come to each connector.
        charge_ms: shortest and longest charge.
        registers: where the meters stand, 0.1 Wh by pile and connector, when these piles were played before.
        protocol: one of ``PROTOCOLS``.
    """
    cast = []
    for number in range(1, piles + 1):
        rng = random.Random(f"{seed}:script:{number}")
        is_dc = number % 3 != 0
        spoken = protocol_of(number, protocol)
        starts = _starts(spoken, is_dc=is_dc)
        rows = tuple(
            tuple(
                _visit(number, is_dc=is_dc, starts=starts, rng=rng, charge_ms=charge_ms)
                for _ in range(sessions_per_connector)
            )
            for _ in range(2 if is_dc else 1)
        )
        profile = profile_for(faults, rng)
        plan = PilePlan(
            pile_id(number, protocol),
            "DC" if is_dc else "AC",
            rows,
            registers_e4kwh=_registers(pile_id(number, protocol), len(rows), registers or {}),
            offline_cards=frozenset({card_uid(number)}),
            is_high_first=rng.randrange(4) == 0,
            protocol=spoken,
        )
        cast.append(Cast(afflict(plan, profile, rng), profile))
    return cast


def _registers(pile: str, connectors: int, known: Mapping[tuple[str, int], int]) -> tuple[int, ...]:
    """A pile has its meters for life: where they stood, else where this pile's first reading is."""
    first = random.Random(f"register:{pile}")
    return tuple(known.get((pile, no), first.randrange(10_000, 900_000) * 10_000) for no in range(1, connectors + 1))


def _starts(spoken: str, *, is_dc: bool) -> tuple[str, ...]:
    """How cars may start a charge on a pile; more than one is drawn from."""
    edition = EDITIONS.get(spoken.partition("-")[2])
    if edition is not None and edition.card is None:
        return ("app",)
    return ("card", "card", "vin") if is_dc and (edition is None or edition.vin is not None) else ("card",)


def _visit(
    number: int, *, is_dc: bool, starts: tuple[str, ...], rng: random.Random, charge_ms: tuple[int, int]
) -> Visit:
    return Visit(
        start=rng.choice(starts) if len(starts) > 1 else starts[0],
        wait_ms=rng.randrange(2_000, 10_000),
        charge_ms=rng.randrange(*charge_ms),
        power_w=(DC_W if is_dc else AC_W) - rng.randrange(0, 1_000),
        vin=vin(number),
        card_uid=card_uid(number),
        soc_percent=rng.randrange(10, 60),
    )


def site_tables(piles: int, protocol: str = "ykc") -> str:
    """The ``[[pile]]`` tables that a gateway must hold for such a fleet, as TOML."""
    parts = []
    for number in range(1, piles + 1):
        is_dc = number % 3 != 0
        rated_kw, current = ("120", "DC") if is_dc else ("11", "AC")
        spoken = protocol_of(number, protocol)
        known = "register_decimals = 4" if spoken == "ykc" else f'protocol = "{spoken}"'
        more = _MORE_KEYS.get(spoken, "")
        parts.append(f'[[pile]]\nid = "{pile_id(number, protocol)}"\nstation = "simulated"\n{known}\n{more}')
        parts += [
            f'[[pile.connector]]\nno = {no}\nrated_kw = "{rated_kw}"\ncurrent = "{current}"\n'
            for no in range(1, 3 if is_dc else 2)
        ]
    return "\n".join(parts)
