"""Piles and engine through a month, event by event, without a socket: real frames, real engine, no waiting."""

from __future__ import annotations

import heapq
import random

from billing_core.timers import Timers
from gateway.engine import Engine
from gateway.outcome import BillIssued, Outcome
from gateway.simulator.pile import SimulatedPile
from gateway.simulator.plan import ClockFault, Gap, PilePlan, RecordFate, Visit
from gateway.simulator.scripts import card_uid, pile_id, site_tables, vin
from gateway.site import site_from_file
from gateway.store.memory import MemoryStore
from gateway.tomlfile import TomlFile
from gateway.transactions import TransactionNumbers
from protocol import commands, events
from protocol.link import Link
from tests.support.site import TARIFF

START_MS = 1_772_380_800_000  # 2026-03-02T00:00:00+08:00
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
BAD_FIRMWARE, GOOD_FIRMWARE = "V4.1.12", "V4.1.50"
LOST = {GOOD_FIRMWARE: 0.006, BAD_FIRMWARE: 0.116}  # records that never come
SPOILED = {"energy_lost": 0.002, "stale_price": 0.003, "decimals": 0.001, "wrong_split": 0.002, "empty_date": 0.002}
CLOCKS = ((ClockFault.EPOCH_2000, 0.02), (ClockFault.AHEAD_1H, 0.02), (ClockFault.ZERO_DATE, 0.01))


class SpoilingPile(SimulatedPile):
    """A pile whose firmware spoils some of its records."""

    def __init__(self, plan: PilePlan, seed: int, now_ms: int) -> None:
        super().__init__(plan, seed, now_ms)
        self.spoiled: dict[str, str] = {}
        self._spoiler = random.Random(f"{seed}:spoil:{plan.pile_id}")

    def owe(self, story, raw, at_ms):
        kind = self._spoiler.choices([*SPOILED, ""], [*SPOILED.values(), 1 - sum(SPOILED.values())])[0]
        if kind and raw["energy_kwh"]:
            raw = spoil(kind, dict(raw))
            self.spoiled[story.transaction_id] = kind
        super().owe(story, raw, at_ms)


def spoil(kind: str, raw: dict) -> dict:
    """A record as broken firmware would have written it."""
    tiers = [dict(tier) for tier in raw["tiers"]]
    if kind == "energy_lost":
        for tier in tiers:
            tier.update(energy_kwh=0, loss_energy_kwh=0, amount_yuan=0)
        raw.update(energy_kwh=0, loss_energy_kwh=0, amount_yuan=0, meter_end_kwh=raw["meter_start_kwh"])
    elif kind == "stale_price":
        for tier in tiers:
            tier["price_yuan_per_kwh"] += 5_000
            tier["amount_yuan"] = tier["energy_kwh"] * tier["price_yuan_per_kwh"] // 100_000
        raw["amount_yuan"] = sum(tier["amount_yuan"] for tier in tiers)
    elif kind == "decimals":
        for tier in tiers:
            tier.update({key: tier[key] // 100 for key in ("energy_kwh", "loss_energy_kwh", "amount_yuan")})
        names = ("energy_kwh", "loss_energy_kwh", "amount_yuan", "meter_start_kwh", "meter_end_kwh")
        raw.update({name: raw[name] // 100 for name in names})
    elif kind == "wrong_split":
        tiers = [*tiers[1:], tiers[0]]
    elif kind == "empty_date":
        raw.update(start_time=raw["start_time"] & 0xFFFFFFFF, end_time=raw["end_time"] & 0xFFFFFFFF)
    return {**raw, "tiers": tiers}


def plan_of(number: int, seed: int, days: int) -> PilePlan:
    """One pile's month."""
    rng = random.Random(f"{seed}:month:{number}")
    is_dc = number % 3 != 0
    firmware = BAD_FIRMWARE if number % 20 == 7 else GOOD_FIRMWARE
    clock = rng.choices([*(fault for fault, _ in CLOCKS), ClockFault.NONE], [*(share for _, share in CLOCKS), 0.95])[0]
    rows = tuple(tuple(_visits(number, rng, days, is_dc=is_dc, firmware=firmware)) for _ in range(2 if is_dc else 1))
    return PilePlan(
        pile_id(number),
        "DC" if is_dc else "AC",
        rows,
        clock=clock,
        link_losses=tuple(_gaps(rng, days, count=rng.randrange(3), longest_ms=2 * HOUR_MS)),
        power_losses=tuple(_gaps(rng, days, count=int(rng.random() < 0.3), longest_ms=HOUR_MS)),
        offline_cards=frozenset({card_uid(number)}),
        firmware=firmware,
        heartbeat_ms=6 * HOUR_MS,
        idle_sample_ms=6 * HOUR_MS,
        sample_ms=30_000,
        registers_e4kwh=tuple(rng.randrange(10_000, 900_000) * 10_000 for _ in rows),
    )


def _gaps(rng: random.Random, days: int, *, count: int, longest_ms: int):
    starts = sorted(rng.randrange(HOUR_MS, days * DAY_MS) for _ in range(count))
    followers = [*starts[1:], (days + 1) * DAY_MS][: len(starts)]
    for after_ms, following_ms in zip(starts, followers, strict=True):
        yield Gap(after_ms, min(rng.randrange(60_000, longest_ms), max(following_ms - after_ms - 60_000, 30_000)))


def _visits(number: int, rng: random.Random, days: int, *, is_dc: bool, firmware: str):
    spent_ms = 0
    while spent_ms < (days - 1) * DAY_MS:
        wait_ms, charge_ms = (
            rng.randrange(2 * HOUR_MS, 18 * HOUR_MS),
            rng.randrange(6, 35) * 60_000 + rng.randrange(60_000),
        )
        spent_ms += wait_ms + charge_ms
        fates = (RecordFate.NONE, RecordFate.TWICE, RecordFate.CONFLICTING, RecordFate.GOOD)
        shares = (LOST[firmware], 0.03, 0.002, 1 - LOST[firmware] - 0.032)
        yield Visit(
            start=rng.choice(("card", "card", "vin")) if is_dc else "card",
            wait_ms=wait_ms,
            charge_ms=charge_ms,
            power_w=(60_000 if is_dc else 7_000) - rng.randrange(1_000),
            vin=vin(number),
            card_uid=card_uid(number),
            soc_percent=rng.randrange(10, 60),
            record=rng.choices(fates, shares)[0],
            is_meter_reset=rng.random() < 0.001,
        )


class Month:
    """The piles, the engine, and everything that came of it.

    Args:
        numbers: which piles of the site.
        days: how long cars keep coming.
        seed: equal seeds, equal months.
    """

    def __init__(self, numbers: range, days: int, seed: int) -> None:
        piles = numbers.stop - 1
        text = f'[site]\ntimezone = "Asia/Shanghai"\n{TARIFF}\n{site_tables(piles)}\n' + "".join(
            f'[[card]]\nuid = "{card_uid(number)}"\n' for number in range(1, piles + 1)
        )
        site = site_from_file(TomlFile(text, "site.toml"))
        self.store = MemoryStore()
        self.engine = Engine(site, Timers(), silence_ms_max=30 * HOUR_MS, recall=self.store.recall, is_replay=False)
        self.piles = [SpoilingPile(plan_of(number, seed, days), seed, START_MS) for number in numbers]
        self.links: list[Link | None] = [None] * len(numbers)
        self.revisions: list[BillIssued] = []
        self.frames = 0
        self._numbers = TransactionNumbers(site.zone, lambda number: self.engine.sessions.find(number) is not None)
        self._zone = site.zone
        self._heap: list[tuple[int, int]] = []

    def run(self, days: int) -> None:
        """Until every car has left and every deadline of the last one is over."""
        end_ms = START_MS + (days + 3) * DAY_MS
        self._heap = [(START_MS + index, index) for index in range(len(self.piles))]
        while self._heap:
            now_ms, index = heapq.heappop(self._heap)
            if now_ms > end_ms:
                continue
            self._keep(self.engine.on_timer(now_ms))
            self.piles[index].on_timer(now_ms)
            self._carry(index, now_ms)
            due_ms = self.piles[index].timer_at_ms
            if due_ms is not None:
                heapq.heappush(self._heap, (max(due_ms, now_ms + 1), index))
        self._keep(self.engine.on_timer(end_ms + 4 * DAY_MS))

    def _carry(self, index: int, now_ms: int) -> None:
        pile = self.piles[index]
        while True:
            if pile.wants_hang_up and self.links[index] is not None:
                self.links[index] = None
                pile.wants_hang_up = False
                pile.on_link_closed(now_ms)
                self._keep(self.engine.on_link_lost(pile.plan.pile_id, now_ms))
            if self.links[index] is None and pile.wants_link(now_ms) and not pile.wants_hang_up:
                self.links[index] = Link()
                pile.on_link_opened(now_ms)
            link, frames = self.links[index], pile.take_outgoing()
            if not frames or link is None:
                return
            for event in link.receive(b"".join(frames), now_ms):
                assert not isinstance(event, events.FrameRefused), event
                self.frames += 1
                self._take(index, event, now_ms)

    def _take(self, index: int, event, now_ms: int) -> None:
        outcome = self.engine.on_event(event, "10.0.0.1:1")
        self._keep(outcome)
        for reply in outcome.replies:
            self._say(index, reply, now_ms)
        if isinstance(event, events.StartRequested):
            number = self._numbers.next(event.pile_id, event.connector, now_ms)
            self._say(index, commands.AuthoriseStart(
                event.pile_id, event.reply_ref, number, event.connector, "0" * 16, 50_000, True, 0, event.parallel_no
            ), now_ms)  # fmt: skip
        elif isinstance(event, events.PileLoggedIn):
            self._say(index, commands.SyncTime(event.pile_id, None, self._zone.civil_ms(now_ms)), now_ms)

    def _say(self, index: int, command, now_ms: int) -> None:
        link = self.links[index]
        if link is not None:
            data = link.send(command)
            self._keep(self.engine.on_command(command, now_ms))
            self.piles[index].receive(data, now_ms)

    def _keep(self, outcome: Outcome) -> None:
        self.store.keep(outcome.lazy_rows)
        self.store.keep(outcome.rows)
        self.revisions += [row for row in outcome.rows if isinstance(row, BillIssued)]

    @property
    def stories(self):
        """What truly happened."""
        return [story for pile in self.piles for story in pile.stories]

    @property
    def spoiled(self) -> dict[str, str]:
        """Records that were spoiled, by transaction."""
        return {key: kind for pile in self.piles for key, kind in pile.spoiled.items()}
