"""Piles and their connectors: who may log in, who is online, which tariff each holds.

No I/O: facts and time come in, ``Outcome`` goes out.
"""

from __future__ import annotations

import dataclasses

from billing_core.errors import TariffError
from billing_core.tariff import Rate, Tariff, pile_slots
from gateway.lanes import Lane, Presence, Traffic
from gateway.outcome import (
    EventRaised,
    Notice,
    Outcome,
    PileClockChecked,
    PileSeen,
    PileTariffKnown,
    UnknownPileSeen,
)
from gateway.site import Site
from protocol.commands import (
    AnswerHeartbeat,
    AnswerLogin,
    AnswerTariffCheck,
    PileTariff,
    SendTariff,
    SetTariff,
)
from protocol.detect import traits_of
from protocol.dialect import Traits
from protocol.events import (
    ConnectorStatus,
    HeartbeatReceived,
    OrderAnswered,
    ParkingLockReported,
    PileLoggedIn,
    SampleReceived,
    TariffChecked,
    TariffRequested,
)


@dataclasses.dataclass(slots=True)
class ConnectorState:
    """The newest that is known of one connector."""

    no: int
    lane: Lane  # of its repeats; holds the newest values
    status: str = "unknown"
    is_plugged: bool | None = None
    is_faulted: bool = False
    fault_bits: int = 0
    transaction_id: str | None = None
    lock: str | None = None

    @property
    def sampled_at_ms(self) -> int | None:
        """When the newest sample came, Unix ms."""
        return self.lane.sampled_ms if self.lane.sampled_ms >= 0 else None


@dataclasses.dataclass(slots=True)
class PileState:
    """The newest that is known of one pile."""

    pile_id: str
    presence: Presence
    traffic: Traffic  # of all piles
    protocol: str = "ykc"
    firmware_version: str = ""
    current: str | None = None
    connector_count: int = 0
    logged_in_at_ms: int | None = None
    model_no: str | None = None
    delivered: PileTariff | None = None
    clock_offset_ms: int | None = None
    clock_checked_at_ms: int | None = None
    connectors: dict[int, ConnectorState] = dataclasses.field(default_factory=dict)

    def connector(self, no: int) -> ConnectorState:
        """The state of one connector, made on first sight."""
        found = self.connectors.get(no)
        if found is None:
            found = self.connectors[no] = ConnectorState(no, Lane(self.presence, self.traffic))
        return found

    @property
    def is_online(self) -> bool:
        """Whether it is there."""
        return self.presence.is_online

    @property
    def heard_at_ms(self) -> int | None:
        """When it was last heard, Unix ms."""
        return self.presence.heard_ms if self.presence.heard_ms >= 0 else None


class Piles:
    """Every pile that was ever seen in this run, and those that a former run knew.

    Args:
        site: who is listed, and their tariffs.
        silence_ms_max: a pile not heard for this long is offline (three heartbeats).
        accepts_unknown: replay takes every pile; the daemon only listed ones (G8).
    """

    def __init__(self, site: Site, *, silence_ms_max: int, accepts_unknown: bool) -> None:
        self.site = site
        self.states: dict[str, PileState] = {}
        self.unlisted: set[str] = set()
        self.traffic = Traffic()
        self._silence_ms_max = silence_ms_max
        self._accepts_unknown = accepts_unknown

    def state(self, pile_id: str) -> PileState:
        """The state of a pile, made on first sight."""
        found = self.states.get(pile_id)
        if found is None:
            presence = Presence(pile_id, self._silence_ms_max)
            found = self.states[pile_id] = PileState(pile_id, presence, self.traffic)
            if pile_id not in self.site.piles:
                self.unlisted.add(pile_id)
        return found

    def rest(self) -> None:
        """Let the next frame of every kind be seen by every rule."""
        for state in self.states.values():
            for connector in state.connectors.values():
                connector.lane.rest()

    def is_listed(self, pile_id: str) -> bool:
        """Whether this pile may work here."""
        return self._accepts_unknown or pile_id in self.site.piles

    def traits(self, pile_id: str) -> Traits:
        """What a pile's protocol can carry."""
        state = self.states.get(pile_id)
        return traits_of(state.protocol if state else None)

    # -- login and presence ---------------------------------------------------------------------------

    def on_login(self, event: PileLoggedIn, address: str) -> Outcome:
        """Known piles are taken, others refused and listed for adoption."""
        if not self.is_listed(event.pile_id):
            return Outcome(
                rows=[
                    UnknownPileSeen(
                        event.pile_id,
                        event.at_ms,
                        address,
                        event.protocol,
                        event.firmware_version,
                        event.connector_count,
                    )
                ],
                replies=[AnswerLogin(event.pile_id, event.reply_ref, False)],
            )
        state = self.state(event.pile_id)
        state.protocol = event.protocol
        state.firmware_version = event.firmware_version
        state.current = event.current
        state.connector_count = event.connector_count
        state.logged_in_at_ms = event.at_ms
        civil_ms = self.site.zone.civil_ms(event.at_ms)
        outcome = Outcome(replies=[AnswerLogin(event.pile_id, event.reply_ref, True, civil_ms)])
        outcome.lazy_rows.append(
            PileSeen(
                event.pile_id,
                event.at_ms,
                event.protocol,
                event.firmware_version,
                event.connector_count,
                event.current,
            )
        )
        outcome.absorb(self.heard(event.pile_id, event.at_ms))
        return outcome

    def heard(self, pile_id: str, at_ms: int) -> Outcome:
        """Any frame of a listed pile proves that it is there."""
        state = self.state(pile_id)
        presence = state.presence
        presence.heard_ms = at_ms
        presence.silence_ms = max(self._silence_ms_max, self.traits(pile_id).silence_ms)
        if presence.is_online:
            return Outcome()
        presence.is_online = True
        return Outcome(lazy_rows=[_presence(state, at_ms)])

    def on_link_lost(self, pile_id: str, at_ms: int) -> Outcome:
        """The newest link of a pile closed."""
        return self._offline(self.state(pile_id), at_ms)

    def on_timer(self, pile_id: str, at_ms: int) -> Outcome:
        """A pile may have been silent for too long by now."""
        state = self.states[pile_id]
        due_ms = state.presence.timer_at_ms
        if due_ms is None or due_ms > at_ms:
            return Outcome()
        return self._offline(state, due_ms)

    def _offline(self, state: PileState, at_ms: int) -> Outcome:
        if not state.is_online:
            return Outcome()
        state.presence.is_online = False
        return Outcome(lazy_rows=[_presence(state, at_ms)])

    # -- tariffs --------------------------------------------------------------------------------------

    def tariff_for(self, pile_id: str, at_ms: int) -> PileTariff | None:
        """The tariff in force for a pile, as the pile can carry it; ``None`` when there is none."""
        found = self.site.book.in_force(pile_id=pile_id, station=self.site.station_of(pile_id), at_ms=at_ms)
        entry = self.site.piles.get(pile_id)
        has_five = entry is not None and "five-rate" in entry.options
        has_five = has_five or self.traits(pile_id).rates_max >= 5
        return None if found is None else carried(found, has_five_rates=has_five)

    def on_tariff_check(self, event: TariffChecked) -> Outcome:
        """Same model, or not; a pile without a tariff here is told "different" and will ask."""
        state = self.state(event.pile_id)
        state.model_no = event.model_no
        wanted = self.tariff_for(event.pile_id, event.at_ms)
        is_same = wanted is not None and wanted.model_no == event.model_no and state.delivered in (None, wanted)
        answer = AnswerTariffCheck(event.pile_id, event.reply_ref, event.model_no, is_same)
        return Outcome(replies=[answer], lazy_rows=[PileTariffKnown(event.pile_id, event.at_ms, event.model_no)])

    def on_tariff_request(self, event: TariffRequested) -> Outcome:
        """Send the tariff; a pile for which there is none gets no answer and must not charge."""
        wanted = self.tariff_for(event.pile_id, event.at_ms)
        if wanted is None:
            return Outcome(notices=[Notice("pilegate.tariff.missing", event.pile_id, event.at_ms, {})])
        return Outcome(replies=[SendTariff(event.pile_id, event.reply_ref, wanted)])

    def on_tariff_sent(self, command: SendTariff | SetTariff, at_ms: int) -> Outcome:
        """A pile now holds this tariff (an answer to 0x58 confirms it; 0x0A has none)."""
        state = self.state(command.pile_id)
        state.delivered = command.tariff
        state.model_no = command.tariff.model_no
        return Outcome(lazy_rows=[PileTariffKnown(command.pile_id, at_ms, command.tariff.model_no)])

    def is_stale(self, pile_id: str, at_ms: int) -> bool:
        """Whether a pile holds, as far as is known, another tariff than the one in force."""
        state = self.state(pile_id)
        wanted = self.tariff_for(pile_id, at_ms)
        if wanted is None:
            return False
        if state.model_no is None:
            return not self.traits(pile_id).asks_tariff
        return state.model_no != wanted.model_no or state.delivered not in (None, wanted)

    # -- live state -----------------------------------------------------------------------------------

    def on_heartbeat(self, event: HeartbeatReceived) -> Outcome:
        """Answer, and tell a fault that came or went."""
        if event.connector is None:
            return Outcome(replies=[AnswerHeartbeat(event.pile_id, event.reply_ref, None)])
        connector = self.state(event.pile_id).connector(event.connector)
        outcome = Outcome(replies=[AnswerHeartbeat(event.pile_id, event.reply_ref, event.connector)])
        bits = connector.fault_bits if event.is_faulted else 0
        self._tell_fault(event.pile_id, connector, event.at_ms, event.is_faulted, bits, outcome)
        return outcome

    def on_sample(self, event: SampleReceived) -> Outcome:
        """Keep the newest state of the connector, and tell a fault that came or went."""
        connector = self.state(event.pile_id).connector(event.connector)
        outcome = Outcome()
        is_faulted = event.status is ConnectorStatus.FAULTED
        self._tell_fault(event.pile_id, connector, event.at_ms, is_faulted, event.fault_bits, outcome)
        has_changed = (connector.status, connector.is_plugged) != (event.status.value, event.is_plugged)
        connector.status = event.status.value
        connector.is_plugged = event.is_plugged
        connector.transaction_id = event.transaction_id
        connector.lane.note(event.at_ms, event.voltage_dv, event.current_da, event.soc_percent)
        if has_changed:
            data = {
                "connector": event.connector,
                "status": event.status.value,
                "is_plugged": event.is_plugged,
            }
            outcome.notices.append(Notice("pilegate.connector.changed", event.pile_id, event.at_ms, data))
        return outcome

    def on_parking_lock(self, event: ParkingLockReported) -> Outcome:
        """Keep the newest state of a parking lock."""
        connector = self.state(event.pile_id).connector(event.connector)
        connector.lock = event.lock
        data = {
            "connector": event.connector,
            "lock": event.lock,
            "is_occupied": event.is_occupied,
            "battery_percent": event.battery_percent,
            "alarm": event.alarm,
        }
        return Outcome(notices=[Notice("pilegate.lock.changed", event.pile_id, event.at_ms, data)])

    def on_clock_checked(self, event: OrderAnswered | PileLoggedIn, pile_clock_ms: int) -> Outcome:
        """A time sync was answered, or a login told the time: how far the pile's clock stands from ours."""
        state = self.state(event.pile_id)
        state.clock_offset_ms = pile_clock_ms - event.at_ms
        state.clock_checked_at_ms = event.at_ms
        return Outcome(lazy_rows=[PileClockChecked(event.pile_id, event.at_ms, state.clock_offset_ms)])

    def _tell_fault(
        self,
        pile_id: str,
        connector: ConnectorState,
        at_ms: int,
        is_faulted: bool,
        bits: int,
        outcome: Outcome,
    ) -> None:
        if (connector.is_faulted, connector.fault_bits) == (is_faulted, bits):
            return
        connector.is_faulted = is_faulted
        connector.fault_bits = bits
        connector.lane.rest()
        outcome.lazy_rows.append(
            EventRaised(
                event_id=f"connector-fault-{pile_id}-{connector.no}-{at_ms}",
                type="pilegate.connector.fault",
                subject=pile_id,
                partition=f"pile:{pile_id}",
                at_ms=at_ms,
                data={
                    "pile_id": pile_id,
                    "connector": connector.no,
                    "is_faulted": is_faulted,
                    "fault_bits": bits,
                },
                is_perishable=True,
            )
        )


def carried(tariff: Tariff, *, has_five_rates: bool) -> PileTariff | None:
    """A tariff as a pile can carry it, or ``None`` when it cannot.

    Piles know half-hour slots and four rates, five with the five-rate dialect. The loss ratio is not sent:
    piles disagree on its meaning, the bill applies it.
    """
    try:
        slots = tuple(pile_slots(tariff))
    except TariffError:
        return None
    count = 5 if has_five_rates else 4
    if any(slot >= count for slot in slots):
        return None
    prices = tuple(tariff.prices_e5.get(Rate(index), (0, 0)) for index in range(count))
    return PileTariff(model_no=tariff.model_no, prices_e5=prices, slots=slots)


def _presence(state: PileState, at_ms: int) -> EventRaised:
    kind = "online" if state.is_online else "offline"
    return EventRaised(
        event_id=f"pile-{kind}-{state.pile_id}-{at_ms}",
        type=f"pilegate.pile.{kind}",
        subject=state.pile_id,
        partition=f"pile:{state.pile_id}",
        at_ms=at_ms,
        data={
            "pile_id": state.pile_id,
            "protocol": state.protocol,
            "firmware_version": state.firmware_version,
        },
        is_perishable=True,
    )
