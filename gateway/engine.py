"""The deterministic middle: one input at a time, each with its moment, to what follows from it.

The daemon and ``replay`` drive the same engine with the same inputs and so reach the same bills (G4). Every
deadline fires at its own due time, before the first input that is later, however late the driver calls.
"""

from __future__ import annotations

import dataclasses

from billing_core.tariff import Tariff, TariffBook
from billing_core.timers import Timers
from gateway.alarms import Alarms
from gateway.booked import tiers_of
from gateway.company import Company
from gateway.facts import instant_ms
from gateway.lanes import Lane, Presence
from gateway.naming import Naming
from gateway.outcome import OfflineCardsKnown, Outcome
from gateway.piles import Piles
from gateway.records import Records, record_key
from gateway.sessionrows import notice, samples_row
from gateway.sessions import Recall, Sessions
from gateway.site import Site
from protocol import commands, events

_REMEMBERED = (commands.SetTariff, commands.SyncCards, commands.ClearCards)  # their answers do not say of what
_KEPT_MAX = 4_096  # billed sessions in memory; ``recall`` finds the others
_REPLAY_KEPT_MAX = 64  # the same: a log may be as long as it likes


class Engine:
    """Piles, sessions and their deadlines.

    Args:
        site: tariffs, piles, zone.
        timers: deadlines of a session.
        silence_ms_max: a pile not heard for this long is offline.
        recall: how a session that is not in memory is found.
        is_replay: take every pile, and learn tariffs from the log's own orders where the site has none.
        company: who charges beside whom; one of its own when not given.
    """

    def __init__(
        self,
        site: Site,
        timers: Timers,
        *,
        silence_ms_max: int,
        recall: Recall,
        is_replay: bool,
        company: Company | None = None,
    ) -> None:
        self.piles = Piles(site, silence_ms_max=silence_ms_max, accepts_unknown=is_replay)
        kept_max = _REPLAY_KEPT_MAX if is_replay else _KEPT_MAX
        self.sessions = Sessions(site, timers, recall, billed_kept_max=kept_max, company=company)
        self.naming = Naming(self.sessions)
        self.records = Records(self.sessions)
        self._is_replay = is_replay
        self._asked: dict[tuple[str, str], commands.Command] = {}  # newest order of a kind to a pile
        self.alarms = Alarms()

    def reload(self, site: Site) -> None:
        """Take up new tariffs, campaigns and piles; bound tariffs stay bound by their time."""
        self.piles.site = site
        self.sessions.site = site
        self.piles.rest()

    # -- inputs ---------------------------------------------------------------------------------------

    def on_event(self, event: events.PileEvent, address: str = "") -> Outcome:
        """One fact from a pile."""
        outcome = Outcome()
        is_login = isinstance(event, events.PileLoggedIn)
        if not is_login:
            was_online = self.piles.state(event.pile_id).is_online
            outcome.absorb(self.piles.heard(event.pile_id, event.at_ms))
            if not was_online:
                outcome.absorb(self.sessions.on_link(event.pile_id, event.at_ms, is_up=True))
        outcome.absorb(self._dispatch(event, address))
        self.alarms.watch(self.piles.state(event.pile_id).presence)
        return outcome

    def lane_of(self, event: events.PileEvent) -> Lane | None:
        """Where frames may go that only repeat ``event``, which was just taken; ``None`` when each must be seen."""
        match event:
            case events.HeartbeatReceived(connector=int(connector)):
                lane = self.piles.state(event.pile_id).connector(connector).lane
                lane.take_beats()
                return lane
            case events.BmsReported(kind="demand" | "status", wants_answer=False, connector=int(connector)):
                return self.piles.state(event.pile_id).connector(connector).lane
            case events.SampleReceived(wants_answer=False):
                lane = self.piles.state(event.pile_id).connector(event.connector).lane
                return lane if self.sessions.follow(event, lane) else None
        return None

    def take_fed(self, count: int = -1, *, is_told: bool = True) -> Outcome:
        """The samples that lanes fed to sessions since the last call, to be kept.

        Args:
            count: of at most so many sessions; -1: of all.
            is_told: whether anybody wants a notice of how far each of them came.
        """
        outcome = Outcome()
        for core in self.piles.traffic.take_fed(count):
            row = samples_row(core)
            if row is not None:
                outcome.lazy_rows.append(row)
                session = self.sessions.held(core.transaction_id) if is_told else None
                if session is not None:
                    at_ms, soc_percent = core.newest
                    outcome.notices.append(notice("progress", session, at_ms, soc_percent=soc_percent))
        return outcome

    def _dispatch(self, event: events.PileEvent, address: str) -> Outcome:
        match event:
            case events.SampleReceived():
                event, opened = self.naming.named(event)
                outcome = self.piles.on_sample(event)
                outcome.absorb(opened)
                outcome.absorb(self._session(self.sessions.on_sample(event)))
                outcome.absorb(self._on_report(event, event.transaction_id, event.amount_e4yuan))
                return outcome
            case events.HeartbeatReceived():
                return self.piles.on_heartbeat(event)
            case events.RecordReceived():
                event, outcome = self.naming.named(event)
                outcome.absorb(self.records.on_record(self._booked(event)))
                return self._session(outcome)
            case events.BmsReported():
                outcome = self._session(self.sessions.on_bms(event))
                outcome.absorb(self._on_report(event, None, 0))
                return outcome
            case events.BmsEnded():
                return self._session(self.sessions.on_bms_ended(event))
            case events.StartAnswered():
                return self._session(self.sessions.on_start_answered(event))
            case events.PileLoggedIn():
                return self._on_login(event, address)
            case events.TariffChecked():
                return self.piles.on_tariff_check(event)
            case events.TariffRequested():
                return self.piles.on_tariff_request(event)
            case events.ParkingLockReported():
                return self.piles.on_parking_lock(event)
            case events.OrderAnswered():
                return self._on_order_answered(event)
            case events.PileReported():
                return self._on_report(event, None, 0)
            case events.StartRequested():
                self.sessions.requests[(event.pile_id, event.connector)] = event
                self.naming.on_requested(event)
        return Outcome()

    def on_command(self, command: commands.PileCommand, at_ms: int) -> Outcome:
        """One order that was sent to a pile, by this gateway now or by the one that took the log."""
        if isinstance(command, _REMEMBERED):
            self._asked[(command.pile_id, type(command).__name__)] = command
        match command:
            case commands.AuthoriseStart(transaction_id=""):
                self.naming.on_granted(command, at_ms)
            case commands.StartCharging() | commands.AuthoriseStart():
                return self._session(self.sessions.on_start_ordered(command, at_ms))
            case commands.ReadSample():
                self.piles.state(command.pile_id).connector(
                    command.connector
                ).lane.look_again()  # its answer is awaited
            case commands.UpdateBalance():
                return self.sessions.on_balance(command)
            case commands.StopCharging():
                return self.sessions.on_stop_ordered(command.pile_id, command.connector, at_ms)
            case commands.SendTariff():
                self._learn(command, at_ms)
                return self.piles.on_tariff_sent(command, at_ms)
            case commands.SetTariff():
                self._learn(command, at_ms)
        return Outcome()

    def on_protocol(self, pile_id: str, protocol: str) -> None:
        """The frames of a pile showed which version of its protocol it speaks."""
        self.piles.state(pile_id).protocol = protocol
        self.sessions.protocols[pile_id] = protocol

    def on_link_lost(self, pile_id: str, at_ms: int) -> Outcome:
        """The newest link of a pile closed."""
        outcome = self.piles.on_link_lost(pile_id, at_ms)
        outcome.absorb(self.sessions.on_link(pile_id, at_ms, is_up=False))
        return outcome

    # -- deadlines ------------------------------------------------------------------------------------

    @property
    def timer_at_ms(self) -> int | None:
        """No deadline is earlier than this, Unix ms; ``None`` when nothing is due."""
        return self.alarms.due_ms

    def on_timer(self, at_ms: int) -> Outcome:
        """Fire every deadline due by ``at_ms``, in order of their due times."""
        outcome = Outcome()
        while (fired := self.alarms.fire(at_ms)) is not None:
            due_ms = self.alarms.fired_ms
            if isinstance(fired, Presence):
                lost = self.piles.on_timer(fired.pile_id, due_ms)
                outcome.absorb(lost)
                if lost.lazy_rows:
                    outcome.absorb(self.sessions.on_link(fired.pile_id, due_ms, is_up=False))
                self.alarms.watch(fired)
            else:
                outcome.absorb(self._session(self.sessions.on_timer(fired, due_ms)))
                self.arm_session(fired)
        return outcome

    def arm_session(self, transaction_id: str) -> None:
        """Note the next deadline of a session."""
        self.alarms.arm(transaction_id, self.sessions.timer_at_ms(transaction_id))

    def _session(self, outcome: Outcome) -> Outcome:
        """Arm the deadlines of every session that ``outcome`` touched, and keep its samples before anything else."""
        for transaction_id in self.sessions.take_touched():
            self.arm_session(transaction_id)
            session = self.sessions.held(transaction_id)
            row = samples_row(session.core) if session is not None else None
            if row is not None:
                outcome.lazy_rows.insert(0, row)
        return outcome

    # -- the less frequent inputs -----------------------------------------------------------------------

    def _on_login(self, event: events.PileLoggedIn, address: str) -> Outcome:
        outcome = self.piles.on_login(event, address)
        if self.piles.is_listed(event.pile_id):
            self.sessions.protocols[event.pile_id] = event.protocol
            self.sessions.firmware[event.pile_id] = event.firmware_version
            outcome.absorb(self._session(self.sessions.on_login(event.pile_id, event.at_ms)))
            outcome.absorb(self.sessions.on_link(event.pile_id, event.at_ms, is_up=True))
            outcome.absorb(self._on_clock(event, event.clock))
        return outcome

    def _booked(self, event: events.RecordReceived) -> events.RecordReceived:
        """A record with its energy by rate, where the pile booked it by time, and with prices, where it told none."""
        if not event.slots_e4kwh and all(tier.price_e5 is not None for tier in event.tiers):
            return event
        session = self.sessions.find(record_key(event))
        at_ms = event.at_ms
        if session is not None:
            at_ms = session.authorisation.at_ms if session.authorisation else session.core.opened_at_ms
        elif (started_ms := instant_ms(event.started, self.sessions.site.zone)) is not None:
            at_ms = min(at_ms, started_ms)
        tariff = self.sessions.billing.tariff_at(event.pile_id, at_ms)
        if session is not None and session.authorisation is not None and event.start_channel == "offline_card":
            event = dataclasses.replace(event, start_channel=session.authorisation.channel)  # it was allowed here
        return dataclasses.replace(event, tiers=tiers_of(event, tariff, self.piles.traits(event.pile_id)))

    def _on_clock(self, event: events.OrderAnswered | events.PileLoggedIn, clock: events.PileTime | None) -> Outcome:
        """A pile told what its clock shows."""
        pile_clock_ms = instant_ms(clock, self.sessions.site.zone) if clock is not None else None
        if pile_clock_ms is None:
            return Outcome()
        self.sessions.pile_clocks[event.pile_id] = (event.at_ms, pile_clock_ms - event.at_ms)
        return self.piles.on_clock_checked(event, pile_clock_ms)

    def _on_report(
        self,
        event: events.SampleReceived | events.BmsReported | events.PileReported,
        transaction_id: str | None,
        amount_e4yuan: int,
    ) -> Outcome:
        """Tell a pile that wants it that its report came, and what its driver may be shown."""
        if not event.wants_answer:
            return Outcome()
        session = self.sessions.active_on(event.pile_id, event.connector) if event.connector else None
        balance_fen = session.authorisation.balance_fen if session and session.authorisation else 0
        answer = commands.AnswerReport(
            event.pile_id, event.reply_ref, event.connector, transaction_id, amount_e4yuan, balance_fen
        )
        return Outcome(replies=[answer])

    def _on_order_answered(self, event: events.OrderAnswered) -> Outcome:
        asked = self._asked.get((event.pile_id, event.order))
        if event.order == "SyncTime" and event.clock is not None:
            return self._on_clock(event, event.clock)
        if event.order == "StopCharging":
            return self._session(self.sessions.on_stop_answered(event))
        if not event.is_accepted:
            return Outcome()
        match asked:
            case commands.SetTariff():
                return self.piles.on_tariff_sent(asked, event.at_ms)
            case commands.SyncCards():
                return self._on_cards(event, tuple((c.card_uid, c.logic_card) for c in asked.cards), True)
            case commands.ClearCards():
                return self._on_cards(event, tuple((uid, "") for uid in asked.card_uids), False)
        return Outcome()

    def _on_cards(self, event: events.OrderAnswered, cards: tuple[tuple[str, str], ...], is_present: bool) -> Outcome:
        known = self.sessions.offline_cards.setdefault(event.pile_id, set())
        uids = {uid for uid, _ in cards}
        if is_present:
            known |= uids
        else:
            known -= uids
        return Outcome(lazy_rows=[OfflineCardsKnown(event.pile_id, event.at_ms, cards, is_present)])

    def _learn(self, command: commands.SendTariff | commands.SetTariff, at_ms: int) -> None:
        """In replay a tariff that the log's gateway sent stands in where the site file has none."""
        if not self._is_replay:
            return
        learned = self.sessions.billing.learned
        former = learned.get(command.pile_id)
        tariff = Tariff.from_pile(
            command.tariff.model_no,
            at_ms,
            prices_e5=command.tariff.prices_e5,
            slots=command.tariff.slots,
        )
        earlier = [each for each in former.tariffs if each.valid_from_ms != at_ms] if former else []
        learned[command.pile_id] = TariffBook((*earlier, tariff), ())
