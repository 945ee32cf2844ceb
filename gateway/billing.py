"""From a session to its bill: the evidence is gathered, the core judges, and a revision goes out with its events.

No I/O: what must be written is in the ``Outcome``.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from billing_core.bill import Bill
from billing_core.evidence import Evidence, Former
from billing_core.issue import computation, judge
from billing_core.tariff import Tariff, TariffBook
from billing_core.tolerances import Tolerances
from gateway.chain import RegisterChains
from gateway.facts import pile_facts
from gateway.jsontext import json_bytes, json_text
from gateway.opensession import OpenSession
from gateway.outcome import BillIssued, ChainKept, EventRaised, Outcome, TariffPriced
from gateway.priced import Key, key_of, terms_of
from gateway.site import Site
from protocol.detect import traits_of

_AT_ONCE = 2_000  # bytes; for more ``hashlib`` lets go of the interpreter, and the loop has to wait for it

Find = Callable[[str], "OpenSession | None"]


class Billing:
    """Makes bills of sessions, and revises those whose evidence changed.

    Args:
        site: tariffs, piles, zone.
        chains: the registers of all connectors.
        provisional_ms: how long a bill at its lower bound stays open.
    """

    def __init__(self, site: Site, chains: RegisterChains, *, provisional_ms: int) -> None:
        self.site = site
        self.learned: dict[str, TariffBook] = {}  # per pile, from a log's own tariff orders
        self._chains = chains
        self._provisional_ms = provisional_ms
        self._priced: set[Key] = set()  # tariffs already written down as having priced a bill

    # -- evidence -------------------------------------------------------------------------------------

    def evidence(self, session: OpenSession, at_ms: int, *, is_final: bool = False) -> Evidence:
        """Everything known of one transaction at ``at_ms``, as the billing core takes it."""
        core, site = session.core, self.site
        place = session.place
        order_ms, key = session.begins_at_ms, session.transaction_id
        return Evidence(
            transaction_id=key,
            order_no=session.order_no,
            pile=pile_facts(site, place, session.protocol, session.firmware_version, core.connector),
            authorisation=session.authorisation,
            start_channel=session.channel,
            opened_at_ms=core.opened_at_ms,
            start_accepted_at_ms=core.start_accepted_at_ms,
            refusal_code=session.refusal_code,
            samples=core.samples(),
            records=tuple(session.records),
            tariffs=self._book(core.pile_id, core.opened_at_ms),
            tariff_binding=site.tariff_binding,
            zone=site.zone,
            at_ms=at_ms,
            tolerances=_tolerances(site, core.pile_id, session.protocol),
            stream_serial=session.stream_serial,
            sample_connector=session.sample_connector,
            login_at_ms=core.login_at_ms,
            next_start_at_ms=session.next_start_at_ms,
            link_lost_at_ms=session.link_lost_at_ms,
            bms_end=session.bms_end,
            nominal_e4kwh=session.nominal_e4kwh,
            vins=tuple(session.vins),
            previous=None if session.is_meter_new else self._chains.previous(place, key, order_ms),
            meter_start_next_e4kwh=self._chains.following(place, key, order_ms, is_waiting=not session.records),
            clock_offset_ms=session.clock_offset_ms,
            is_offline_card_known=session.is_card_known,
            was_closed_early=session.was_closed_early,
            stop_ordered_at_ms=session.stop_ordered_at_ms,
            stop_accepted_at_ms=session.stop_accepted_at_ms,
            is_serial_reused=session.is_serial_reused,
            has_parallel=session.has_parallel,
            has_concurrent=session.has_concurrent,
            occupancy=site.occupancy_of(core.pile_id),
            unplugged_at_ms=session.unplugged_at_ms,
            is_occupancy_over=session.is_occupancy_over,
            former=self._former(session),
            is_final=is_final,
        )

    @staticmethod
    def _former(session: OpenSession) -> Former | None:
        if not session.revision:
            return None
        is_substitute = not session.has_record_bill and session.core.sample_count > 0
        return Former(session.posted_fen, is_substitute, session.is_decided)

    def _book(self, pile_id: str, opened_ms: int) -> TariffBook:
        """The site's tariffs, or those that a log's own gateway sent where the site has none."""
        book, station = self.site.book, self.site.station_of(pile_id)
        if book.in_force(pile_id=pile_id, station=station, at_ms=opened_ms) is None:
            return self.learned.get(pile_id, book)
        return book

    def tariff_at(self, pile_id: str, at_ms: int) -> Tariff | None:
        """The tariff in force for a pile at a moment, Unix ms."""
        book, station = self._book(pile_id, at_ms), self.site.station_of(pile_id)
        return book.in_force(pile_id=pile_id, station=station, at_ms=at_ms)

    # -- bills ----------------------------------------------------------------------------------------

    def issue(
        self, session: OpenSession, at_ms: int, reason: str, outcome: Outcome, *, is_final: bool = False
    ) -> Bill | None:
        """Add the next revision of the session's bill; ``None`` when nothing in it would change."""
        evidence = self.evidence(session, at_ms, is_final=is_final)
        bill, reckoning = judge(evidence, revision=session.revision + 1)
        document = bill.to_json_dict()
        digest = _digest(document)
        if digest == session.bill_digest:
            return None
        session.revision += 1
        session.bill_digest = digest
        session.has_record_bill = bool(session.records)
        session.is_decided = False
        session.status = bill.status
        if bill.status != "review":
            session.posted_fen = bill.payable_fen
        session.final_at_ms = self._final_at_ms(session, bill, at_ms)
        how = computation(evidence, reckoning)
        outcome.rows.append(bill_row(session, bill, document, how, at_ms=at_ms, reason=reason))
        self._note_tariff(bill.tariff, outcome)
        outcome.rows.append(bill_event(session.transaction_id, session.revision, document, at_ms))
        self._chain(session, bill, outcome)
        return bill

    def _final_at_ms(self, session: OpenSession, bill: Bill, at_ms: int) -> int | None:
        if bill.status != "provisional":
            return None
        return session.final_at_ms if session.final_at_ms is not None else at_ms + self._provisional_ms

    def _chain(self, session: OpenSession, bill: Bill, outcome: Outcome) -> None:
        """Note where this charge left the register, or that nobody knows."""
        if not session.records and not session.core.sample_count:
            return
        has_registers = bill.meter_start_e4kwh is not None and bill.meter_stop_e4kwh is not None
        pile_id, connector = session.place
        start_ms = bill.started_at_ms if bill.started_at_ms is not None else session.core.opened_at_ms
        link = ChainKept(
            pile_id=pile_id,
            connector=connector,
            transaction_id=session.transaction_id,
            order_ms=session.begins_at_ms,
            meter_start_e4kwh=bill.meter_start_e4kwh if has_registers else None,
            meter_stop_e4kwh=bill.meter_stop_e4kwh if has_registers else None,
            started_ms=start_ms,
            stopped_ms=bill.ended_at_ms if bill.ended_at_ms is not None else start_ms,
            account=session.account or bill.card_uid,
            was_unplugged=session.unplugged_at_ms is not None,
        )
        if has_registers:
            self._chains.put(link)
        else:
            self._chains.wait(session.place, session.transaction_id, session.begins_at_ms)
        outcome.rows.append(link)

    def note_unplugged(self, session: OpenSession, outcome: Outcome) -> None:
        """The cable was seen out behind this charge: the next one is no continuation of it."""
        newest = self._chains.newest(session.place)
        if newest is not None and newest.transaction_id == session.transaction_id and not newest.was_unplugged:
            link = dataclasses.replace(newest, was_unplugged=True)
            self._chains.put(link)
            outcome.rows.append(link)

    def revise_neighbours(self, session: OpenSession, at_ms: int, find: Find, outcome: Outcome) -> list[OpenSession]:
        """A record made the register known on one side of its neighbours: open cases among them are judged anew."""
        revised = []
        for key in self._chains.neighbours(session.place, session.transaction_id, session.begins_at_ms):
            other = find(key)
            if other is None or other.is_decided or other.status not in ("review", "provisional"):
                continue
            if self.issue(other, at_ms, "register_known", outcome) is not None:
                revised.append(other)
        return revised

    def _note_tariff(self, tariff: Tariff | None, outcome: Outcome) -> None:
        """What priced a bill is written down with it, once; see gateway/priced.py."""
        if tariff is None or key_of(tariff) in self._priced or tariff not in self.site.book.tariffs:
            return
        self._priced.add(key_of(tariff))
        outcome.rows.append(TariffPriced(*key_of(tariff), terms_of(tariff)))


def _digest(document: Mapping[str, Any]) -> str:
    """The content of a bill, whatever its revision; a second way to the same figures is no change."""
    content = {key: value for key, value in document.items() if key not in ("revision", "basis")}
    text = json_bytes(content)
    digest = hashlib.sha256()
    for at in range(0, len(text), _AT_ONCE):
        digest.update(text[at : at + _AT_ONCE])
    return digest.hexdigest()


_UNDECIDED = {
    "en": "A person decides on this bill; nothing has been charged.",
    "zh": "本单需人工确认,尚未扣款。",
}


def told_bill(document: Mapping[str, Any]) -> dict[str, Any]:
    """What upstream learns of a bill: all of it, but of a bill under review only the fact, no money."""
    told = dict(document)
    if told["status"] == "review":
        told.update(dict.fromkeys(("lines", "segments", "energy_fee", "service_fee", "amount", "discount")))
        for name in ("adjustments", "payable"):
            told.pop(name, None)
        said = told["explanation"]  # its last sentence is the proposal
        told["explanation"] = {language: [*said[language][:-1], _UNDECIDED[language]] for language in said}
    return told


def bill_event(transaction_id: str, revision: int, document: Mapping[str, Any], at_ms: int) -> EventRaised:
    """What upstream is told of a revision."""
    return EventRaised(
        event_id=f"bill-{transaction_id}-r{revision}",
        type=f"pilegate.bill.{'created' if revision == 1 else 'revised'}",
        subject=transaction_id,
        partition=transaction_id,
        at_ms=at_ms,
        data=told_bill(document),
    )


def bill_row(
    session: OpenSession,
    bill: Bill,
    document: Mapping[str, Any],
    how: Mapping[str, Any],
    *,
    at_ms: int,
    reason: str,
    actor: str = "engine",
) -> BillIssued:
    """The row of a revision; ``how`` is its computation."""
    return BillIssued(
        transaction_id=session.transaction_id,
        revision=session.revision,
        status=bill.status,
        order_no=session.order_no,
        pile_id=session.core.pile_id,
        connector=bill.connector,
        created_at_ms=at_ms,
        started_at_ms=bill.started_at_ms,
        ended_at_ms=bill.ended_at_ms,
        energy_e4kwh=bill.energy_e4kwh,
        amount_fen=bill.amount_fen,
        primary_anomaly=bill.primary_anomaly,
        anomalies=tuple(anomaly.code for anomaly in bill.anomalies),
        reason=reason,
        actor=actor,
        body=json_text(document),
        payable_fen=bill.payable_fen,
        computation=json_text(how),
    )


def _tolerances(site: Site, pile_id: str, protocol: str) -> Tolerances:
    """As configured for the pile's model; wider where its protocol rounds more coarsely."""
    tolerances = site.tolerances_of(pile_id)
    least_e4yuan = traits_of(protocol).amount_total_e4yuan
    if least_e4yuan <= tolerances.amount_total_e4yuan:
        return tolerances
    return dataclasses.replace(tolerances, amount_total_e4yuan=least_e4yuan)
