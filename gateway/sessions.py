"""Open sessions by transaction: what piles tell becomes samples, ends, records and bills.

No I/O: facts and time come in, ``Outcome`` goes out. Where a session is no longer held in memory it is
fetched through ``recall``, the only look this room takes at the past.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from billing_core.evidence import Authorisation, BmsEnd, Evidence
from billing_core.fixed import parse_scaled
from billing_core.issue import order_no
from billing_core.session import ChargingSession
from billing_core.timers import Timers
from billing_core.transitions import SessionEvent, State
from gateway.billing import Billing
from gateway.chain import Place, RegisterChains
from gateway.company import Company
from gateway.lanes import Lane
from gateway.opensession import OpenSession
from gateway.outcome import Outcome, SamplesLeft
from gateway.sessionrows import notice, samples_row, session_event
from gateway.site import Site
from gateway.watching import unwatched_e4kwh, watch
from protocol.commands import AuthoriseStart, StartCharging, UpdateBalance
from protocol.detect import traits_of
from protocol.events import (
    BmsEnded,
    BmsReported,
    ConnectorStatus,
    OrderAnswered,
    SampleReceived,
    StartAnswered,
    StartRequested,
)

Recall = Callable[[str], "tuple[Mapping[str, Any], bytes] | None"]

_CLOCK_FRESH_MS = 24 * 3_600_000
_FOREIGN_E4KWH = 200  # more than records and samples of one charge are rounded apart
_HOLDING = {State.OPENED, State.CHARGING}


class Sessions:
    """Every session that may still change, and the rules by which it does.

    Args:
        site: tariffs, piles, zone.
        timers: deadlines of the session machine.
        recall: (frozen, live states) of a session that is not in memory, or ``None``.
        billed_kept_max: how many billed sessions stay in memory for re-sent records.
        company: who charges beside whom; one of its own when not given.
    """

    def __init__(
        self,
        site: Site,
        timers: Timers,
        recall: Recall,
        *,
        billed_kept_max: int = 4096,
        company: Company | None = None,
    ) -> None:
        self.timers = timers
        self.chains = RegisterChains()
        self.billing = Billing(site, self.chains, provisional_ms=timers.provisional_ms)
        self.pile_clocks: dict[str, tuple[int, int]] = {}  # pile_id -> (checked_at_ms, offset_ms)
        self.protocols: dict[str, str] = {}
        self.firmware: dict[str, str] = {}
        self.offline_cards: dict[str, set[str]] = {}
        self.requests: dict[Place, StartRequested] = {}  # newest request of a connector
        self._recall = recall
        self._company = company or Company()
        self._open: dict[str, OpenSession] = {}
        self._by_pile: dict[str, dict[str, OpenSession]] = {}  # the same: a link concerns only its own
        self._billed: OrderedDict[str, OpenSession] = OrderedDict()
        self._billed_kept_max = billed_kept_max
        self._active: dict[Place, str] = {}  # connector -> transaction that may be charging there
        self._idle: dict[Place, Lane] = {}  # connectors on which no session waits for anything
        self._streams: dict[tuple[str, str], str] = {}  # pile_id, serial of the samples -> transaction they went to
        self._touched: list[str] = []

    # -- looking --------------------------------------------------------------------------------------

    @property
    def site(self) -> Site:
        """Tariffs, piles, zone."""
        return self.billing.site

    @site.setter
    def site(self, site: Site) -> None:
        self.billing.site = site

    def held(self, transaction_id: str) -> OpenSession | None:
        """The session of a transaction, from memory alone."""
        return self._open.get(transaction_id) or self._billed.get(transaction_id)

    def find(self, transaction_id: str) -> OpenSession | None:
        """The session of a transaction, from memory or through ``recall``."""
        found = self.held(transaction_id)
        if found is None and (stored := self._recall(transaction_id)) is not None:
            found = OpenSession.thaw(*stored)
            self.keep(found)
        return found

    def running(self) -> list[OpenSession]:
        """Sessions without a bill, oldest first."""
        return list(self._open.values())

    def active_on(self, pile_id: str, connector: int) -> OpenSession | None:
        """The session that holds a connector: opened or charging."""
        return self._open.get(self._active.get((pile_id, connector), ""))

    def streamed(self, pile_id: str, serial: str, connector: int) -> OpenSession | None:
        """The session that took samples under a number of the pile's own."""
        found = self._open.get(self._streams.get((pile_id, serial), ""))  # of billed ones, memory holds some
        former = (self.find(key) for key in self.chains.recent((pile_id, connector)) if found is None)
        return found or next((each for each in former if each and each.stream_serial == serial), None)

    def take_touched(self) -> list[str]:
        """The transactions that changed since the last call: their deadlines may have moved."""
        touched, self._touched = self._touched, []
        return touched

    def timer_at_ms(self, transaction_id: str) -> int | None:
        """The next deadline of one session, Unix ms."""
        session = self.held(transaction_id)
        return session.timer_at_ms if session else None

    def evidence(self, session: OpenSession, at_ms: int) -> Evidence:
        """Everything known of one transaction at ``at_ms``, as the billing core takes it."""
        return self.billing.evidence(session, at_ms)

    # -- opening --------------------------------------------------------------------------------------

    def restore(self, frozen: Mapping[str, Any], states: bytes | bytearray) -> OpenSession:
        """Take up a session where a former run left it."""
        session = OpenSession.thaw(frozen, states)
        self.keep(session)
        return session

    def on_start_ordered(self, command: StartCharging | AuthoriseStart, at_ms: int) -> Outcome:
        """A start was sent to the pile: the session exists from now on."""
        if isinstance(command, AuthoriseStart) and not command.is_accepted:
            return Outcome()
        if self.find(command.transaction_id) is not None:
            return Outcome()
        by_app = isinstance(command, StartCharging)
        asked = None if by_app else self.requests.pop((command.pile_id, command.connector), None)
        outcome = Outcome()
        if not by_app:
            outcome.absorb(self._end_former(command.pile_id, command.connector, command.transaction_id, at_ms))
        session = self.open(command.transaction_id, command.pile_id, command.connector, at_ms)
        session.channel = "app" if by_app else asked.method if asked else None
        session.authorisation = Authorisation(
            at_ms=at_ms,
            channel=session.channel,
            balance_fen=command.balance_fen,
            card_uid=command.card_uid if isinstance(command, StartCharging) else asked.card_uid if asked else None,
            vin=asked.vin if asked else None,
            account_id=None,
        )
        session.balance_fen = command.balance_fen
        session.parallel_no = command.parallel_no
        outcome.rows += [other.saved() for other in self._company.note(session)]
        outcome.rows.append(session.saved())
        return outcome

    def _timers_of(self, pile_id: str) -> Timers:
        """The deadlines, longer where a pile's protocol lets it take its time to start."""
        start_ms = traits_of(self.protocols.get(pile_id)).start_deadline_ms
        if start_ms is None or start_ms <= self.timers.start_deadline_ms:
            return self.timers
        return dataclasses.replace(self.timers, start_deadline_ms=start_ms)

    def open(self, transaction_id: str, pile_id: str, connector: int, at_ms: int) -> OpenSession:
        """A session that begins to exist."""
        session = OpenSession(
            core=ChargingSession(transaction_id, pile_id, connector, at_ms, self._timers_of(pile_id)),
            order_no=order_no(transaction_id, at_ms, self.site.zone),
            protocol=self.protocols.get(pile_id, "ykc"),
            firmware_version=self.firmware.get(pile_id),
        )
        checked = self.pile_clocks.get(pile_id)
        if checked is not None and at_ms - checked[0] <= _CLOCK_FRESH_MS:
            session.clock_offset_ms = checked[1]
        self.keep(session)
        return session

    def keep(self, session: OpenSession) -> None:
        """Hold a session where it belongs, and note that its deadlines may have moved."""
        key, state = session.transaction_id, session.core.state
        self._touched.append(key)
        if session.stream_serial is not None:
            self._streams[session.core.pile_id, session.stream_serial] = key
        if session.core.sample_count and not session.records:
            self.chains.wait(session.place, key, session.begins_at_ms)
        idle = self._idle.pop(session.place, None)
        if idle is not None:
            idle.look_again()
        if state is State.BILLED:
            self._open.pop(key, None)
            self._company.leave(session)
            self._by_pile.get(session.core.pile_id, {}).pop(key, None)
            self._billed[key] = session
            self._billed.move_to_end(key)
            while len(self._billed) > self._billed_kept_max:
                _, former = self._billed.popitem(last=False)
                if former.stream_serial is not None:
                    self._streams.pop((former.core.pile_id, former.stream_serial), None)
            self.release(session)
            return
        self._billed.pop(key, None)
        if self._open.get(key) is not session:
            self._open[key] = session
            self._company.join(session)
        self._by_pile.setdefault(session.core.pile_id, {})[key] = session
        if state in _HOLDING:
            holder = self.active_on(*session.place)
            if holder is None or state is State.CHARGING or holder.core.state is not State.CHARGING:
                self._active[session.place] = key

    def part_foreign(self, holder: OpenSession, energy_e4kwh: int, outcome: Outcome) -> None:
        """What came under another number counted further than the transaction itself tells: it was another charge."""
        serial = holder.stream_serial
        if serial is None or holder.records or holder.core.energy_e4kwh <= energy_e4kwh + _FOREIGN_E4KWH:
            return
        if self.find(serial) is None:
            self.part(holder, serial, outcome)

    def part(self, holder: OpenSession, transaction_id: str, outcome: Outcome) -> OpenSession:
        """Samples that went to a start which the pile never confirmed were another charge's: give them to it."""
        core, rows = holder.core, holder.core.rows()
        assert rows
        assert holder.stream_serial is not None
        place = holder.place
        self._streams.pop((core.pile_id, holder.stream_serial), None)
        self.chains.forget(place, holder.transaction_id)
        self.release(holder)
        session = self.open(transaction_id, *place, rows[0][0])
        for at_ms, energy, amount, voltage, current, soc, is_charging, plugged in rows:
            take = session.core.take_sample if is_charging else session.core.take_rest
            take(at_ms, energy, amount, voltage, current, soc, plugged)
        if core.ended_at_ms is not None and session.core.state is State.CHARGING:
            session.core.end(core.ended_at_ms, core.is_end_observed, core.idle_proof_at_ms or core.ended_at_ms)
        for name in ("link_lost_at_ms", "next_start_at_ms", "bms_end", "nominal_e4kwh", "unplugged_at_ms"):
            setattr(session, name, getattr(holder, name))
            setattr(holder, name, None)
        session.vins, holder.vins = holder.vins, []
        session.is_start_told, session.is_end_told = False, False
        holder.stream_serial = holder.sample_connector = None
        holder.order_ms = rows[-1][0]  # if it begins after all, then behind this charge
        holder.core = ChargingSession(
            holder.transaction_id, core.pile_id, core.connector, core.opened_at_ms, self._timers_of(core.pile_id)
        )
        kept = samples_row(session.core)
        assert kept is not None
        outcome.rows += [SamplesLeft(holder.transaction_id), holder.saved(), kept]
        self.keep(session)
        self.keep(holder)  # its deadline may be over: then it fires at once
        return session

    def release(self, session: OpenSession) -> None:
        """The session holds its connector no longer."""
        for place in {session.place, (session.core.pile_id, session.core.connector)}:
            if self._active.get(place) == session.transaction_id:
                del self._active[place]

    # -- charging -------------------------------------------------------------------------------------

    def on_start_answered(self, event: StartAnswered) -> Outcome:
        """The pile took or refused a remote start; "not plugged in" may still become a start."""
        session = self.find(event.transaction_id)
        if session is None or (event.may_still_start and not event.is_accepted):
            return Outcome()
        if not event.is_accepted:
            session.refusal_code = event.reason_code
            if session.core.state is not State.OPENED:
                return Outcome(rows=[session.saved()])
            session.core.apply(SessionEvent.START_REFUSED, event.at_ms)
            self.release(session)
            return self._ended(session, event.at_ms)
        outcome = self._end_former(event.pile_id, event.connector, event.transaction_id, event.at_ms)
        session.refusal_code = None
        session.core.apply(SessionEvent.START_ACCEPTED, event.at_ms)
        self.keep(session)
        outcome.lazy_rows.append(session.saved())
        self.tell_start(session, event.at_ms, outcome)
        return outcome

    def on_sample(self, event: SampleReceived) -> Outcome:
        """A live state: charging feeds the session, anything else may end it."""
        if event.status is ConnectorStatus.OFFLINE:
            return Outcome()  # stored by the pile while it was cut off: its moment is unknown
        if event.status is not ConnectorStatus.CHARGING:
            return self._on_rest(event)
        if event.transaction_id is None:
            return Outcome()  # preparing: no energy belongs to anybody yet
        session = self._session_of(event, event.transaction_id)
        if session is None:
            return Outcome()
        outcome = Outcome()
        if event.transaction_id == session.transaction_id:
            self.part_foreign(session, event.energy_e4kwh, outcome)
        outcome.absorb(self._end_former(event.pile_id, event.connector, session.transaction_id, event.at_ms))
        state = session.core.state
        if state is State.NOT_STARTED or (state is State.BILLED and not session.core.sample_count):
            session.was_closed_early = session.refusal_code is None
        if event.connector != session.core.connector:
            self.release(session)
            if event.connector != session.place[1]:
                self.chains.forget(session.place, session.transaction_id)
            session.sample_connector = event.connector
        session.core.take_sample(
            event.at_ms,
            event.energy_e4kwh,
            event.amount_e4yuan,
            event.voltage_dv,
            event.current_da,
            event.soc_percent,
            event.is_plugged,
        )
        session.next_start_at_ms = session.unplugged_at_ms = None
        self.keep(session)
        self.tell_start(session, event.at_ms, outcome)
        outcome.notices.append(notice("progress", session, event.at_ms, soc_percent=event.soc_percent))
        watch(session, event, self.billing, outcome)
        outcome.lazy_rows.append(session.saved())
        return outcome

    def _session_of(self, event: SampleReceived, serial: str) -> OpenSession | None:
        """Whose sample this is; ``None`` for one of a charge that has its record already.

        A number that nobody gave out, or one of a former charge whose counter began anew, on a connector where an
        authorised charge waits for its first sample: the pile keeps an old number in its live data.
        """
        session = self.find(serial)
        holder = self.active_on(event.pile_id, event.connector)
        is_past = session is not None and session.core.state is State.BILLED and bool(session.records)
        if holder is not None and holder is not session and holder.authorisation is not None:
            is_waiting = holder.core.state is State.OPENED or holder.stream_serial == serial
            is_new = session is None or (is_past and event.energy_e4kwh < session.core.energy_e4kwh)
            if is_waiting and is_new:
                holder.stream_serial = serial
                return holder
        if is_past:
            return None
        return session or self.open(serial, event.pile_id, event.connector, event.at_ms)

    def _end_former(self, pile_id: str, connector: int, transaction_id: str, at_ms: int) -> Outcome:
        """Another transaction begins on a connector: the former one there is over, whenever it ended."""
        former = self.active_on(pile_id, connector)
        place = (pile_id, connector)
        outcome = Outcome()
        own = self.held(transaction_id)
        if own is None or not own.core.sample_count:
            stayed = self.chains.last(place, transaction_id, at_ms if own is None else own.begins_at_ms)
            if stayed is not None:
                self._left_unseen(stayed, at_ms, outcome)
        if former is None or former.transaction_id == transaction_id or former.core.state is not State.CHARGING:
            return outcome
        former.next_start_at_ms = at_ms
        last_ms = former.core.last_sample_at_ms
        assert last_ms is not None
        former.core.end(min(last_ms, at_ms), False, at_ms)
        outcome.absorb(self._ended(former, at_ms))
        return outcome

    def _on_rest(self, event: SampleReceived) -> Outcome:
        """A state in which nothing charges: it ends a session once it lasts, and may show that the cable is out."""
        outcome = Outcome()
        place = (event.pile_id, event.connector)
        session = self.active_on(*place) or self._stayed(place)
        if session is None:
            return outcome
        is_kept = session.core.take_rest(
            event.at_ms,
            event.energy_e4kwh,
            event.amount_e4yuan,
            event.voltage_dv,
            event.current_da,
            event.soc_percent,
            event.is_plugged,
        )
        if is_kept:
            self._touched.append(session.transaction_id)
            outcome.lazy_rows.append(session.saved())
        if event.is_plugged is False:
            self._on_unplugged(session, event.at_ms, outcome)
        return outcome

    def _stayed(self, place: Place) -> OpenSession | None:
        """The charge that ended on a connector whose cable was not seen out since."""
        key = self.chains.last(place)
        session = None if key is None else self.find(key)
        return session if session is not None and session.unplugged_at_ms is None else None

    def _on_unplugged(self, session: OpenSession, at_ms: int, outcome: Outcome) -> None:
        if session.unplugged_at_ms is not None or not session.core.sample_count:
            return
        session.unplugged_at_ms = at_ms
        self.billing.note_unplugged(session, outcome)
        if session.revision and self.site.occupancy_of(session.core.pile_id) is not None:
            self.issue(session, at_ms, "unplugged", outcome)
        outcome.rows.append(session.saved())

    def _left_unseen(self, transaction_id: str, at_ms: int, outcome: Outcome) -> None:
        """Somebody else begins, and nobody saw the former car leave."""
        session = self.find(transaction_id)
        if session is None or self.site.occupancy_of(session.core.pile_id) is None:
            return
        if session.core.sample_count and session.unplugged_at_ms is None and not session.is_occupancy_over:
            session.is_occupancy_over = True
            if session.revision:
                self.issue(session, at_ms, "left_unseen", outcome)
            outcome.rows.append(session.saved())

    # -- the battery side -----------------------------------------------------------------------------

    def on_bms(self, event: BmsReported) -> Outcome:
        """What the battery side says of itself."""
        session = self.find(event.transaction_id) if event.transaction_id else None
        if session is None:
            return Outcome()
        vin, nominal = event.detail.get("vin"), event.detail.get("nominal_energy_kwh")
        if isinstance(vin, str) and vin.strip(" 0") and vin not in session.vins:
            session.vins.append(vin)
        elif isinstance(nominal, str) and session.nominal_e4kwh is None:
            try:
                session.nominal_e4kwh = int(parse_scaled(nominal, 4))
            except ValueError:
                return Outcome()
        else:
            return Outcome()
        return Outcome(lazy_rows=[session.saved()])

    def on_bms_ended(self, event: BmsEnded) -> Outcome:
        """The battery side says that charging is over."""
        session = self.find(event.transaction_id) if event.transaction_id else None
        if session is None or session.core.state not in (State.CHARGING, State.ENDED):
            return Outcome()
        session.bms_end = BmsEnd(event.at_ms, event.soc_percent, event.energy_e1kwh * 1_000)
        last_ms = session.core.last_sample_at_ms
        if session.core.state is not State.CHARGING or last_ms is None:
            return Outcome(lazy_rows=[session.saved()])
        is_live = 0 < event.at_ms - last_ms <= self.timers.live_ms
        session.core.end(event.at_ms if is_live else last_ms, is_live, max(event.at_ms, last_ms))
        return self._ended(session, event.at_ms)

    def _ended(self, session: OpenSession, at_ms: int) -> Outcome:
        self._touched.append(session.transaction_id)
        self.release(session)
        outcome = Outcome()
        self.tell_end(session, at_ms, outcome)
        outcome.rows.insert(0, session.saved())
        return outcome

    # -- orders and links -----------------------------------------------------------------------------

    def on_stop_ordered(self, pile_id: str, connector: int, at_ms: int) -> Outcome:
        """A remote stop was sent; the pile must obey, the record will tell."""
        session = self.active_on(pile_id, connector)
        if session is None:
            return Outcome()
        session.stop_ordered_at_ms = at_ms
        return Outcome(lazy_rows=[session.saved()])

    def on_stop_answered(self, event: OrderAnswered) -> Outcome:
        """The pile says whether it stopped."""
        session = self.active_on(event.pile_id, event.connector) if event.connector is not None else None
        if session is None or not event.is_accepted or session.stop_ordered_at_ms is None:
            return Outcome()
        session.stop_accepted_at_ms = event.at_ms
        return Outcome(lazy_rows=[session.saved()])

    def on_balance(self, command: UpdateBalance) -> Outcome:
        """The driver's balance changed while charging."""
        session = self.active_on(command.pile_id, command.connector)
        if session is None or session.authorisation is None:
            return Outcome()
        session.balance_fen = command.balance_fen
        session.is_stop_due_told = False
        return Outcome(lazy_rows=[session.saved()])

    def on_link(self, pile_id: str, at_ms: int, *, is_up: bool) -> Outcome:
        """The link of a pile was lost or came back; its sessions go on."""
        outcome = Outcome()
        event = SessionEvent.LINK_RESTORED if is_up else SessionEvent.LINK_LOST
        for session in self._of_pile(pile_id):
            session.core.apply(event, at_ms)
            if not is_up and session.core.state is State.CHARGING:
                session.link_lost_at_ms = at_ms
            outcome.lazy_rows.append(session.saved())
        return outcome

    def on_login(self, pile_id: str, at_ms: int) -> Outcome:
        """A pile logged in: it does not charge, and what it kept may come soon."""
        outcome = Outcome()
        for session in self._of_pile(pile_id):
            session.core.log_in(at_ms)
            self._touched.append(session.transaction_id)
            outcome.lazy_rows.append(session.saved())
        return outcome

    def _of_pile(self, pile_id: str) -> list[OpenSession]:
        return list(self._by_pile.get(pile_id, {}).values())

    # -- watching a running charge ----------------------------------------------------------------------

    def follow(self, event: SampleReceived, lane: Lane) -> bool:
        """Let ``lane`` take the like of ``event``, when nobody must see each one; returns whether it does.

        It feeds the charge that the event is a sample of, or finds again that nothing charges and nobody waits.
        """
        place = (event.pile_id, event.connector)
        session = self.active_on(*place)
        if event.status is not ConnectorStatus.CHARGING:
            if event.status is ConnectorStatus.OFFLINE or session is not None or self._stayed(place) is not None:
                return False
            lane.idle()
            self._idle[place] = lane
            return True
        if session is None or session.transaction_id != event.transaction_id:
            return False
        if session.core.state is not State.CHARGING or session.place != place:
            return False
        if session.stop_accepted_at_ms is not None and not session.is_stop_ignored_told:
            return False
        lane.follow(session.core, event.is_plugged, unwatched_e4kwh(session, event.pile_id, self.site))
        session.lane = lane
        return True

    # -- deadlines ------------------------------------------------------------------------------------

    def on_timer(self, transaction_id: str, at_ms: int) -> Outcome:
        """Fire what is due of one session, each at its own due time."""
        outcome = Outcome()
        session = self.find(transaction_id)
        if session is None:
            return outcome
        fired = session.core.on_timer(at_ms)
        for event, due_ms in fired:
            self._fire(session, event, due_ms, outcome)
        is_final = session.final_at_ms is not None and session.final_at_ms <= at_ms
        if is_final:
            assert session.final_at_ms is not None
            due_ms, session.final_at_ms = session.final_at_ms, None
            self.issue(session, due_ms, "time_over", outcome, is_final=True)
        if fired or is_final:
            self.keep(session)
            outcome.rows.append(session.saved())
        return outcome

    def _fire(self, session: OpenSession, event: SessionEvent, due_ms: int, outcome: Outcome) -> None:
        if event is SessionEvent.RECORD_OVERDUE:
            session.is_overdue = True
            outcome.notices.append(notice("record_overdue", session, due_ms))
        elif event is SessionEvent.RECORD_LOST:
            self.issue(session, due_ms, "record_lost", outcome)
        elif event is SessionEvent.SILENCE_PASSED:
            self.issue(session, due_ms, "silence", outcome)
        else:  # START_DEADLINE_PASSED, CHARGING_ENDED
            outcome.absorb(self._ended(session, due_ms))

    # -- bills ----------------------------------------------------------------------------------------

    def issue(self, session: OpenSession, at_ms: int, reason: str, outcome: Outcome, *, is_final: bool = False) -> bool:
        """Add the next revision of the session's bill and tell upstream; False if it would not differ."""
        before = len(outcome.rows)
        bill = self.billing.issue(session, at_ms, reason, outcome, is_final=is_final)
        if bill is None:
            return False
        told = Outcome()
        self.tell_start(session, at_ms, told, must_have_begun=True)
        self.tell_end(session, at_ms, told)
        outcome.lazy_rows += told.lazy_rows
        outcome.rows[before:before] = told.rows
        self._touched.append(session.transaction_id)
        return True

    # -- telling --------------------------------------------------------------------------------------

    def tell_start(self, session: OpenSession, at_ms: int, outcome: Outcome, *, must_have_begun: bool = False) -> None:
        """That the session started, once."""
        if session.is_start_told or (must_have_begun and session.core.sample_count == 0):
            return
        session.is_start_told = True
        outcome.lazy_rows.append(session_event("started", session, at_ms))

    def tell_end(self, session: OpenSession, at_ms: int, outcome: Outcome) -> None:
        """That the session ended, once."""
        if session.is_end_told or (session.authorisation is None and not session.is_start_told):
            return
        session.is_end_told = True
        outcome.rows.append(session_event("ended", session, at_ms))
