"""One charge inside a pile: energy that grows, split by rate at the half hours of the pile's own clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.simulator.rates import Rates, next_slot_ms

_WMS_PER_E4KWH = 360_000  # watt-milliseconds in 0.0001 kWh


@dataclass(slots=True)
class Story:
    """What truly happened in one session; what bills are compared with.

    Attributes:
        started_at_ms: true instant, Unix ms, whatever the pile's clock said.
        energy_e4kwh: true energy.
        tiers_e4kwh: the pile's split by rate.
        expected_fen: the amount of a bill over that split.
        is_clean: nothing was wrong with this session, so its bill must be ``normal``.
        record: ``good``, ``twice``, ``conflicting``, ``none``: what the pile does about its record.
        has_ended: charging is over.
        records_sent: transmissions, re-sent ones included.
        is_acknowledged: the gateway acknowledged the record.
    """

    transaction_id: str
    pile_id: str
    connector: int
    channel: str
    started_at_ms: int
    record: str = "good"
    is_clean: bool = True
    ended_at_ms: int = 0
    energy_e4kwh: int = 0
    tiers_e4kwh: tuple[int, ...] = ()
    meter_start_e4kwh: int = 0
    meter_stop_e4kwh: int = 0
    expected_fen: int = 0
    stop_code: int = 0
    has_ended: bool = False
    records_sent: int = 0
    is_acknowledged: bool = False


@dataclass(slots=True)
class Charge:
    """Energy of one session.

    Args:
        power_w: constant, W.
        rates: the tariff when the session began; it prices all of it.
        at_ms: the moment up to which energy is counted, Unix ms.
        civil_offset_ms: pile clock minus Unix time; times of records come from that clock.
    """

    story: Story
    power_w: int
    rates: Rates
    at_ms: int
    civil_offset_ms: int
    soc_percent: int
    balance_fen: int
    register_e4kwh: int
    work_wms: int = 0
    tiers_e4kwh: list[int] = field(default_factory=list)
    started_civil_ms: int = 0

    def __post_init__(self) -> None:
        self.tiers_e4kwh = [0] * len(self.rates.prices_e5)
        self.started_civil_ms = self.at_ms + self.civil_offset_ms

    @property
    def energy_e4kwh(self) -> int:
        """Energy so far, 0.0001 kWh."""
        return self.work_wms // _WMS_PER_E4KWH

    @property
    def amount_e4yuan(self) -> int:
        """Money so far, 0.0001 yuan, by the pile's arithmetic."""
        return sum(self.rates.tier_amounts_e4yuan(self.tiers_e4kwh))

    def advance(self, at_ms: int) -> None:
        """Count energy up to ``at_ms``; no piece crosses a half hour of the pile's clock."""
        while self.at_ms < at_ms:
            civil_ms = self.at_ms + self.civil_offset_ms
            step_ms = min(next_slot_ms(civil_ms) - civil_ms, at_ms - self.at_ms)
            before = self.energy_e4kwh
            self.work_wms += self.power_w * step_ms
            self.tiers_e4kwh[self.rates.index_at(civil_ms)] += self.energy_e4kwh - before
            self.at_ms += step_ms

    def close(self, stop_code: int) -> Story:
        """Write the story's end."""
        story = self.story
        story.ended_at_ms = self.at_ms
        story.energy_e4kwh = self.energy_e4kwh
        story.tiers_e4kwh = tuple(self.tiers_e4kwh)
        story.meter_start_e4kwh = self.register_e4kwh
        story.meter_stop_e4kwh = self.register_e4kwh + self.energy_e4kwh
        story.expected_fen = self.rates.bill_fen(self.tiers_e4kwh)
        story.stop_code = stop_code
        story.has_ended = True
        return story
