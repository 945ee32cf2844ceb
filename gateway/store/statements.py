"""Rows of the engine to SQL, one prepared statement a kind."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from itertools import chain
from operator import itemgetter
from typing import Any

from gateway import outcome as o
from gateway.jsontext import json_text

_SAVE_SESSION = """INSERT INTO session (transaction_id, order_no, pile_id, connector, state, start_channel,
 opened_at_ms, ended_at_ms, energy_e4kwh, frozen, due_at_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?)
 ON CONFLICT (transaction_id) DO UPDATE SET state=excluded.state, start_channel=excluded.start_channel,
 ended_at_ms=excluded.ended_at_ms, energy_e4kwh=excluded.energy_e4kwh, frozen=excluded.frozen,
 connector=excluded.connector, due_at_ms=excluded.due_at_ms"""
_SAVE_ORDER = """INSERT INTO order_log VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (order_id) DO UPDATE SET
 state=excluded.state, result=excluded.result"""
_SEE_PILE = """INSERT INTO pile (pile_id, protocol, firmware_version, connector_count, current, last_login_at_ms)
 VALUES (?,?,?,?,?,?) ON CONFLICT (pile_id) DO UPDATE SET protocol=excluded.protocol,
 firmware_version=excluded.firmware_version, connector_count=excluded.connector_count, current=excluded.current,
 last_login_at_ms=excluded.last_login_at_ms"""
_SEE_UNKNOWN = """INSERT INTO unknown_pile VALUES (?,?,?,1,?,?,?,?) ON CONFLICT (pile_id) DO UPDATE SET
 last_seen_at_ms=excluded.last_seen_at_ms, attempts=attempts+1, address=excluded.address,
 protocol=excluded.protocol, firmware_version=excluded.firmware_version, connector_count=excluded.connector_count"""
_CHECK_CLOCK = """INSERT INTO pile (pile_id, clock_offset_ms, clock_checked_at_ms) VALUES (?,?,?)
 ON CONFLICT (pile_id) DO UPDATE SET clock_offset_ms=excluded.clock_offset_ms,
 clock_checked_at_ms=excluded.clock_checked_at_ms"""
_KNOW_TARIFF = """INSERT INTO pile (pile_id, tariff_model_no) VALUES (?,?)
 ON CONFLICT (pile_id) DO UPDATE SET tariff_model_no=excluded.tariff_model_no"""
_KEEP_CHAIN = """INSERT OR REPLACE INTO register_chain (pile_id, connector, transaction_id, order_ms,
 meter_start_e4kwh, meter_stop_e4kwh, started_ms, stopped_ms, account, was_unplugged) VALUES (?,?,?,?,?,?,?,?,?,?)"""
_PUT_SAMPLES = "INSERT INTO sample_block (transaction_id, at_ms, energy_e4kwh, states) VALUES (?,?,?,?)"
_PUT_BILL = """INSERT INTO bill (transaction_id, revision, status, order_no, pile_id, connector, created_at_ms,
 started_at_ms, ended_at_ms, energy_e4kwh, amount_fen, primary_anomaly, anomalies, reason, actor, body, payable_fen,
 computation) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""
_NEWEST = """INSERT INTO bill_newest VALUES (?,?,?,?,?) ON CONFLICT (transaction_id) DO UPDATE SET
 revision=excluded.revision, status=excluded.status, pile_id=excluded.pile_id, created_at_ms=excluded.created_at_ms"""
_NEXT_SEQUENCE = "SELECT coalesce(max(sequence), 0) + 1 FROM outbox WHERE endpoint = ? AND partition = ?"
_PUT_OUTBOX = """INSERT OR IGNORE INTO outbox
 (endpoint, event_id, partition, sequence, type, body, created_at_ms, due_at_ms, expires_at_ms)
 VALUES (?,?,?,?,?,?,?,?,?)"""

_LAST_DIGEST = "SELECT digest FROM frame_block WHERE id = (SELECT max(id) FROM frame_block WHERE pile_id = ?)"
_SAVE_DECISION = """INSERT INTO decision VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (decision_id) DO UPDATE SET
 state=excluded.state, approver=excluded.approver, decided_at_ms=excluded.decided_at_ms,
 revision=excluded.revision, evidence=excluded.evidence"""
_PUT_FRAMES = "INSERT INTO frame_block (pile_id, link, from_ms, about, data, digest) VALUES (?,?,?,?,?,?)"
_AT_ONCE = (
    128  # rows of one statement: each step of a statement lets go of the interpreter and must get hold of it again
)

# (endpoint name, event, sequence) -> (body, expires_at_ms), or None when the endpoint does not want it
Envelope = Callable[[str, o.EventRaised, int], "tuple[bytes, int] | None"]


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json_text(value)


def block_digest(former: bytes, block: o.FramesKept) -> bytes:
    """The digest of kept frames over that of the pile's frames before them, so that none can be taken out unseen."""
    head = f"{block.link}\n{block.from_ms}\n{block.about}\n".encode()
    return hashlib.sha256(former + head + block.data).digest()


class _Many:
    """Rows of one table that gather until the transaction ends.

    Values are int, str or bytearray, as their rows carry them: of bool and bytes ``sqlite3`` asks first whether
    anybody adapts them, and that costs more than to write them.

    Args:
        sql: puts one of them, and ends in its values.
    """

    def __init__(self, connection: sqlite3.Connection, sql: str) -> None:
        values = sql[sql.rindex("(") :]
        self._connection = connection
        self._one = sql
        self._many = sql + f",{values}" * (_AT_ONCE - 1)
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        """One more."""
        self._rows.append(row)

    def put(self) -> None:
        """Write what waits, in order of whose it is: then neighbours in the index are met one behind the other."""
        rows, self._rows = sorted(self._rows, key=itemgetter(0)), []
        whole = len(rows) - len(rows) % _AT_ONCE
        for at in range(0, whole, _AT_ONCE):
            self._connection.execute(self._many, list(chain.from_iterable(rows[at : at + _AT_ONCE])))
        if whole < len(rows):
            self._connection.executemany(self._one, rows[whole:])

    def drop(self) -> None:
        """Forget what waits."""
        self._rows = []


class RowWriter:
    """Writes rows on one connection, samples and frames in groups.

    Args:
        endpoints: names of the upstreams.
        envelope: makes the body of an event for an endpoint.
    """

    def __init__(self, connection: sqlite3.Connection, endpoints: tuple[str, ...], envelope: Envelope) -> None:
        self._connection = connection
        self._endpoints = endpoints
        self._envelope = envelope
        self._digests: dict[str, bytes] = {}
        self._taken: dict[str, o.SamplesTaken] = {}  # by session, all of the open transaction in one
        self._sessions: dict[str, o.SessionSaved] = {}  # the newest of the open transaction
        self._many_samples = _Many(connection, _PUT_SAMPLES)
        self._many_frames = _Many(connection, _PUT_FRAMES)
        self._writers: dict[type, Callable[[Any], None]] = {
            o.SamplesTaken: self._samples,
            o.SamplesLeft: self._samples_left,
            o.SessionSaved: self._session,
            o.RecordStored: self._record,
            o.BillIssued: self._bill,
            o.TariffPriced: self._tariff_priced,
            o.EventRaised: self._event,
            o.OrderSaved: self._order,
            o.PileSeen: self._pile,
            o.UnknownPileSeen: self._unknown_pile,
            o.PileClockChecked: self._clock,
            o.PileTariffKnown: self._tariff,
            o.ChainKept: self._chain,
            o.OfflineCardsKnown: self._offline_cards,
            o.FramesKept: self._frames,
            o.SiteKnown: self._site,
            o.DecisionSaved: self._decision,
        }

    def undone(self) -> None:
        """The open transaction was rolled back: what was remembered of it is forgotten."""
        self._digests.clear()
        self._taken.clear()
        self._sessions.clear()
        self._many_samples.drop()
        self._many_frames.drop()

    def write(self, row: o.Row) -> None:
        """Write one row within the open transaction, at the latest when ``finish`` is called."""
        self._writers[type(row)](row)

    def finish(self) -> None:
        """Write what still gathers: the transaction ends."""
        self._put_samples()
        self._put_sessions()
        self._many_frames.put()

    def _samples(self, r: o.SamplesTaken) -> None:
        former = self._taken.get(r.transaction_id)
        if former is not None:
            energy_e4kwh = former.energy_e4kwh if r.energy_e4kwh is None else r.energy_e4kwh
            r = o.SamplesTaken(r.transaction_id, former.at_ms, energy_e4kwh, former.states + r.states)
        self._taken[r.transaction_id] = r

    def _put_samples(self) -> None:
        for taken in self._taken.values():
            self._many_samples.add(taken)
        self._taken.clear()
        self._many_samples.put()

    def _samples_left(self, r: o.SamplesLeft) -> None:
        self._put_samples()
        self._connection.execute("DELETE FROM sample_block WHERE transaction_id = ?", (r.transaction_id,))
        self._connection.execute("DELETE FROM register_chain WHERE transaction_id = ?", (r.transaction_id,))

    def _session(self, r: o.SessionSaved) -> None:
        self._sessions[r.transaction_id] = r

    def _put_sessions(self) -> None:
        """Write each session once: what it was for a moment within the transaction nobody can see."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for r in sessions:
            self._connection.execute(
                _SAVE_SESSION,
                (
                    r.transaction_id,
                    r.order_no,
                    r.pile_id,
                    r.connector,
                    r.state,
                    r.start_channel,
                    r.opened_at_ms,
                    r.ended_at_ms,
                    r.energy_e4kwh,
                    _json(r.frozen),
                    r.due_at_ms,
                ),
            )

    def _record(self, r: o.RecordStored) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO record VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                r.transaction_id,
                r.content_hash,
                r.serial,
                r.rx_ms,
                r.pile_id,
                r.connector,
                r.protocol,
                r.layout,
                r.frame_type,
                r.body,
            ),
        )

    def _tariff_priced(self, r: o.TariffPriced) -> None:
        values = (r.model_no, r.valid_from_ms, r.scope, r.terms)
        self._connection.execute("INSERT OR IGNORE INTO priced_tariff VALUES (?,?,?,?)", values)

    def _bill(self, r: o.BillIssued) -> None:
        execute = self._connection.execute
        execute(
            _PUT_BILL,
            (
                r.transaction_id,
                r.revision,
                r.status,
                r.order_no,
                r.pile_id,
                r.connector,
                r.created_at_ms,
                r.started_at_ms,
                r.ended_at_ms,
                r.energy_e4kwh,
                r.amount_fen,
                r.primary_anomaly,
                json.dumps(r.anomalies),
                r.reason,
                r.actor,
                r.body,
                r.payable_fen,
                r.computation,
            ),
        )
        execute(_NEWEST, (r.transaction_id, r.revision, r.status, r.pile_id, r.created_at_ms))
        if r.revision > 1:
            execute("DELETE FROM bill_anomaly WHERE transaction_id = ?", (r.transaction_id,))
        for code in r.anomalies:
            execute("INSERT INTO bill_anomaly VALUES (?,?,?)", (code, r.created_at_ms, r.transaction_id))

    def _event(self, r: o.EventRaised) -> None:
        for endpoint in self._endpoints:
            sequence = self._connection.execute(_NEXT_SEQUENCE, (endpoint, r.partition)).fetchone()[0]
            made = self._envelope(endpoint, r, sequence)
            if made is not None:
                body, expires_at_ms = made
                values = (endpoint, r.event_id, r.partition, sequence, r.type, body, r.at_ms, r.at_ms, expires_at_ms)
                self._connection.execute(_PUT_OUTBOX, values)

    def _order(self, r: o.OrderSaved) -> None:
        self._connection.execute(
            _SAVE_ORDER,
            (
                r.order_id,
                r.pile_id,
                r.connector,
                r.kind,
                r.transaction_id,
                r.created_at_ms,
                r.deadline_at_ms,
                r.state,
                r.actor,
                _json(r.request),
                _json(r.result),
            ),
        )

    def _pile(self, r: o.PileSeen) -> None:
        self._put_sessions()  # they began with the firmware of before
        values = (r.pile_id, r.protocol, r.firmware_version, r.connector_count, r.current, r.at_ms)
        self._connection.execute(_SEE_PILE, values)

    def _unknown_pile(self, r: o.UnknownPileSeen) -> None:
        values = (r.pile_id, r.at_ms, r.at_ms, r.address, r.protocol, r.firmware_version, r.connector_count)
        self._connection.execute(_SEE_UNKNOWN, values)

    def _clock(self, r: o.PileClockChecked) -> None:
        self._connection.execute(_CHECK_CLOCK, (r.pile_id, r.offset_ms, r.at_ms))

    def _tariff(self, r: o.PileTariffKnown) -> None:
        self._connection.execute(_KNOW_TARIFF, (r.pile_id, r.model_no))

    def _chain(self, r: o.ChainKept) -> None:
        values = (r.pile_id, r.connector, r.transaction_id, r.order_ms, r.meter_start_e4kwh, r.meter_stop_e4kwh)
        self._connection.execute(_KEEP_CHAIN, (*values, r.started_ms, r.stopped_ms, r.account, r.was_unplugged))

    def _offline_cards(self, r: o.OfflineCardsKnown) -> None:
        for card_uid, logic_card in r.cards:
            if r.is_present:
                self._connection.execute(
                    "INSERT OR REPLACE INTO offline_card VALUES (?,?,?,?)", (r.pile_id, card_uid, logic_card, r.at_ms)
                )
            else:
                self._connection.execute(
                    "DELETE FROM offline_card WHERE pile_id = ? AND card_uid = ?", (r.pile_id, card_uid)
                )

    def _frames(self, r: o.FramesKept) -> None:
        former = self._digests.get(r.pile_id)
        if former is None:
            last = self._connection.execute(_LAST_DIGEST, (r.pile_id,)).fetchone()
            former = last[0] if last else b""
        digest = block_digest(former, r)
        self._many_frames.add((*r, bytearray(digest)))
        self._digests[r.pile_id] = digest

    def break_chain(self, pile_id: str) -> None:
        """The next frames of a pile do not follow on those before them: something between was altered or taken out."""
        self._digests[pile_id] = b"broken"

    def _site(self, r: o.SiteKnown) -> None:
        sha256 = hashlib.sha256(r.text.encode()).hexdigest()
        newest = self._connection.execute("SELECT sha256 FROM site_version ORDER BY id DESC LIMIT 1").fetchone()
        if newest is None or newest[0] != sha256:
            values = (r.at_ms, sha256, r.text)
            self._connection.execute("INSERT INTO site_version (at_ms, sha256, text) VALUES (?,?,?)", values)

    def _decision(self, r: o.DecisionSaved) -> None:
        self._connection.execute(
            _SAVE_DECISION,
            (
                r.decision_id,
                r.transaction_id,
                r.kind,
                _json(r.terms),
                r.reason,
                json.dumps(r.evidence),
                r.proposer,
                r.proposed_at_ms,
                r.base_revision,
                r.stake_fen,
                r.state,
                r.approver,
                r.decided_at_ms,
                r.revision,
            ),
        )
