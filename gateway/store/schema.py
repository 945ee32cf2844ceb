"""The database's tables, as migrations that are each applied once.

Units are the last word of a column. All tables are STRICT, and no column is REAL: a float stops at the last door.
"""

from __future__ import annotations

import hashlib
import sqlite3

import sqlite_utils

from billing_core.session import pack_states
from gateway.frameblock import pack_frames
from gateway.outcome import FrameKept
from gateway.store.statements import RowWriter

# Samples and frames of thousands of piles go to as many places, and are put there in order of place: so few pages are
# wanted at a time. Eight times as many save a twelfth of the writer's time, and cost each of 16,000 links 1.7 kB.
_CACHE_KIB = 4_096
_CHECKPOINT_PAGES = 8_000
_SAMPLES_AT_ONCE = 4_000
_FRAMES_AT_ONCE = 64

migrations = sqlite_utils.Migrations("pilegate")

_FIRST = """
CREATE TABLE pile (
    pile_id TEXT PRIMARY KEY, station TEXT NOT NULL DEFAULT '', adopted_at_ms INTEGER, body TEXT,
    protocol TEXT, firmware_version TEXT, connector_count INTEGER, current TEXT, last_login_at_ms INTEGER,
    tariff_model_no TEXT, clock_offset_ms INTEGER, clock_checked_at_ms INTEGER) STRICT;
CREATE TABLE unknown_pile (
    pile_id TEXT PRIMARY KEY, first_seen_at_ms INTEGER NOT NULL, last_seen_at_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL, address TEXT NOT NULL, protocol TEXT NOT NULL, firmware_version TEXT NOT NULL,
    connector_count INTEGER NOT NULL) STRICT;
CREATE TABLE meter (
    pile_id TEXT NOT NULL, connector INTEGER NOT NULL, at_ms INTEGER NOT NULL, meter_stop_e4kwh INTEGER NOT NULL,
    PRIMARY KEY (pile_id, connector)) STRICT, WITHOUT ROWID;
CREATE TABLE account (
    account_id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '', balance_fen INTEGER NOT NULL DEFAULT 0,
    is_frozen INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE card (
    card_uid TEXT PRIMARY KEY, logic_card TEXT NOT NULL, account_id TEXT NOT NULL REFERENCES account,
    is_frozen INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE vin (
    vin TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES account,
    is_frozen INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE offline_card (
    pile_id TEXT NOT NULL, card_uid TEXT NOT NULL, logic_card TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (pile_id, card_uid)) STRICT, WITHOUT ROWID;
CREATE TABLE session (
    transaction_id TEXT PRIMARY KEY, order_no TEXT NOT NULL, pile_id TEXT NOT NULL, connector INTEGER NOT NULL,
    state TEXT NOT NULL, start_channel TEXT, opened_at_ms INTEGER NOT NULL, ended_at_ms INTEGER,
    energy_e4kwh INTEGER NOT NULL, frozen TEXT NOT NULL) STRICT;
CREATE INDEX session_opened ON session (opened_at_ms, transaction_id);
CREATE INDEX session_running ON session (opened_at_ms) WHERE state <> 'billed';
CREATE INDEX session_pile ON session (pile_id, opened_at_ms);
CREATE TABLE sample (
    transaction_id TEXT NOT NULL, at_ms INTEGER NOT NULL, energy_e4kwh INTEGER NOT NULL,
    amount_e4yuan INTEGER NOT NULL, voltage_dv INTEGER NOT NULL, current_da INTEGER NOT NULL,
    soc_percent INTEGER NOT NULL) STRICT;
CREATE INDEX sample_of ON sample (transaction_id);
CREATE TABLE record (
    transaction_id TEXT NOT NULL, content_hash TEXT NOT NULL, serial TEXT NOT NULL, rx_ms INTEGER NOT NULL,
    pile_id TEXT NOT NULL, connector INTEGER NOT NULL, protocol TEXT NOT NULL, layout TEXT NOT NULL,
    frame_type INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (transaction_id, content_hash)) STRICT;
CREATE TABLE bill (
    transaction_id TEXT NOT NULL, revision INTEGER NOT NULL, status TEXT NOT NULL, order_no TEXT NOT NULL,
    pile_id TEXT NOT NULL, connector INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, started_at_ms INTEGER,
    ended_at_ms INTEGER, energy_e4kwh INTEGER NOT NULL, amount_fen INTEGER NOT NULL, primary_anomaly TEXT,
    anomalies TEXT NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (transaction_id, revision)) STRICT;
CREATE TABLE bill_newest (
    transaction_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, status TEXT NOT NULL, pile_id TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX bill_by_time ON bill_newest (created_at_ms, transaction_id);
CREATE INDEX bill_by_status ON bill_newest (status, created_at_ms, transaction_id);
CREATE INDEX bill_by_pile ON bill_newest (pile_id, created_at_ms, transaction_id);
CREATE TABLE bill_anomaly (
    code TEXT NOT NULL, created_at_ms INTEGER NOT NULL, transaction_id TEXT NOT NULL,
    PRIMARY KEY (code, created_at_ms, transaction_id)) STRICT, WITHOUT ROWID;
CREATE INDEX bill_anomaly_of ON bill_anomaly (transaction_id);
CREATE TRIGGER bill_is_never_edited BEFORE UPDATE ON bill
    BEGIN SELECT RAISE(ABORT, 'a bill revision is never edited'); END;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, event_id TEXT NOT NULL, partition TEXT NOT NULL,
    sequence INTEGER NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL, created_at_ms INTEGER NOT NULL,
    due_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'pending', last_status INTEGER, last_error TEXT, last_answer TEXT,
    delivered_at_ms INTEGER, UNIQUE (endpoint, event_id)) STRICT;
CREATE INDEX outbox_waiting ON outbox (endpoint, due_at_ms) WHERE state = 'pending';
CREATE INDEX outbox_partition ON outbox (endpoint, partition, sequence);
CREATE INDEX outbox_pending_of ON outbox (endpoint, partition, sequence) WHERE state = 'pending';
CREATE INDEX outbox_state ON outbox (state, id);
CREATE TABLE order_log (
    order_id TEXT PRIMARY KEY, pile_id TEXT NOT NULL, connector INTEGER, kind TEXT NOT NULL, transaction_id TEXT,
    created_at_ms INTEGER NOT NULL, deadline_at_ms INTEGER NOT NULL, state TEXT NOT NULL, actor TEXT NOT NULL,
    request TEXT NOT NULL, result TEXT) STRICT;
CREATE INDEX order_time ON order_log (created_at_ms, order_id);
CREATE INDEX order_transaction ON order_log (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE TABLE token (
    name TEXT PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, created_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER) STRICT;
CREATE TABLE idempotency (
    key TEXT PRIMARY KEY, request_hash TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE priced_tariff (
    model_no TEXT NOT NULL, valid_from_ms INTEGER NOT NULL, scope TEXT NOT NULL, terms TEXT NOT NULL,
    PRIMARY KEY (model_no, valid_from_ms, scope)) STRICT, WITHOUT ROWID
"""


@migrations()
def first_tables(db: sqlite_utils.Database) -> None:
    """Everything that the first landing needs."""
    for statement in _statements(_FIRST):
        db.execute(statement)


_EVIDENCE = """
CREATE TABLE frame (
    id INTEGER PRIMARY KEY, pile_id TEXT NOT NULL, at_ms INTEGER NOT NULL, link TEXT NOT NULL, kind TEXT NOT NULL,
    about TEXT NOT NULL, data BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
CREATE INDEX frame_of ON frame (pile_id, at_ms);
CREATE INDEX frame_age ON frame (at_ms);
CREATE TRIGGER frame_is_never_edited BEFORE UPDATE ON frame
    BEGIN SELECT RAISE(ABORT, 'evidence is never edited'); END;
CREATE TABLE site_version (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, sha256 TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE TRIGGER site_version_is_never_edited BEFORE UPDATE ON site_version
    BEGIN SELECT RAISE(ABORT, 'evidence is never edited'); END;
CREATE TABLE session_firmware (
    transaction_id TEXT PRIMARY KEY, firmware_version TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER session_remembers_firmware AFTER INSERT ON session BEGIN
    INSERT OR IGNORE INTO session_firmware
    SELECT NEW.transaction_id, firmware_version FROM pile
    WHERE pile_id = NEW.pile_id AND firmware_version IS NOT NULL; END
"""


@migrations()
def evidence_of_bills(db: sqlite_utils.Database) -> None:
    """Frames as they came, the site as it was, and the firmware that a pile had at each session."""
    for statement in _statements(_EVIDENCE):
        db.execute(statement)


_CASES = """
CREATE TABLE case_file (
    case_no TEXT PRIMARY KEY, year INTEGER NOT NULL, sequence INTEGER NOT NULL, problem TEXT NOT NULL,
    state TEXT NOT NULL, opened_at_ms INTEGER NOT NULL, changed_at_ms INTEGER NOT NULL,
    UNIQUE (year, sequence)) STRICT;
CREATE INDEX case_opened ON case_file (opened_at_ms, case_no);
CREATE TABLE case_bill (
    case_no TEXT NOT NULL REFERENCES case_file, transaction_id TEXT NOT NULL,
    PRIMARY KEY (case_no, transaction_id)) STRICT;
CREATE INDEX case_of_bill ON case_bill (transaction_id);
CREATE TABLE case_entry (
    id INTEGER PRIMARY KEY, case_no TEXT NOT NULL REFERENCES case_file, at_ms INTEGER NOT NULL, author TEXT NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX case_entry_of ON case_entry (case_no, id);
CREATE TABLE attachment (sha256 TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE case_attachment (
    case_no TEXT NOT NULL REFERENCES case_file, sha256 TEXT NOT NULL REFERENCES attachment, name TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, at_ms INTEGER NOT NULL, author TEXT NOT NULL,
    PRIMARY KEY (case_no, sha256)) STRICT;
CREATE TRIGGER case_entry_is_never_edited BEFORE UPDATE ON case_entry
    BEGIN SELECT RAISE(ABORT, 'an entry of a case is never edited'); END;
CREATE TRIGGER case_entry_is_never_deleted BEFORE DELETE ON case_entry
    BEGIN SELECT RAISE(ABORT, 'an entry of a case is never deleted'); END;
CREATE TRIGGER attachment_is_never_edited BEFORE UPDATE ON attachment
    BEGIN SELECT RAISE(ABORT, 'an attachment is never edited'); END
"""


@migrations()
def after_sales_cases(db: sqlite_utils.Database) -> None:
    """What people note about bills."""
    for statement in _statements(_CASES):
        db.execute(statement)


@migrations()
def bills_by_order(db: sqlite_utils.Database) -> None:
    """Partners name bills by the number their customers see."""
    db.execute("CREATE INDEX bill_of_order ON bill (order_no)")


_RECONSTRUCTION = """
ALTER TABLE sample ADD COLUMN is_charging INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sample ADD COLUMN is_plugged INTEGER;
ALTER TABLE session ADD COLUMN due_at_ms INTEGER;
CREATE INDEX session_due ON session (due_at_ms) WHERE due_at_ms IS NOT NULL;
ALTER TABLE bill ADD COLUMN payable_fen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bill ADD COLUMN computation TEXT NOT NULL DEFAULT '{}';
DROP TABLE meter;
CREATE TABLE register_chain (
    transaction_id TEXT PRIMARY KEY, pile_id TEXT NOT NULL, connector INTEGER NOT NULL, order_ms INTEGER NOT NULL,
    meter_start_e4kwh INTEGER, meter_stop_e4kwh INTEGER, started_ms INTEGER NOT NULL, stopped_ms INTEGER NOT NULL,
    account TEXT, was_unplugged INTEGER NOT NULL) STRICT;
CREATE INDEX register_chain_of ON register_chain (pile_id, connector, order_ms)
"""


@migrations()
def reconstruction_of_bills(db: sqlite_utils.Database) -> None:
    """States of rest, the register as a chain, deadlines behind a bill, and how each bill was reached."""
    for statement in _statements(_RECONSTRUCTION):
        db.execute(statement)


_DECISIONS = """
CREATE TABLE decision (
    decision_id TEXT PRIMARY KEY, transaction_id TEXT NOT NULL, kind TEXT NOT NULL, terms TEXT NOT NULL,
    reason TEXT NOT NULL, evidence TEXT NOT NULL, proposer TEXT NOT NULL, proposed_at_ms INTEGER NOT NULL,
    base_revision INTEGER NOT NULL, stake_fen INTEGER NOT NULL, state TEXT NOT NULL, approver TEXT,
    decided_at_ms INTEGER, revision INTEGER) STRICT;
CREATE INDEX decision_of ON decision (transaction_id, proposed_at_ms);
CREATE INDEX decision_waiting ON decision (proposed_at_ms) WHERE state = 'proposed';
CREATE TRIGGER decision_stays_as_made BEFORE UPDATE ON decision WHEN OLD.state <> 'proposed'
    OR OLD.transaction_id <> NEW.transaction_id OR OLD.kind <> NEW.kind OR OLD.terms <> NEW.terms
    OR OLD.reason <> NEW.reason OR OLD.proposer <> NEW.proposer OR OLD.proposed_at_ms <> NEW.proposed_at_ms
    BEGIN SELECT RAISE(ABORT, 'a decision stays as it was made'); END
"""


@migrations()
def decisions_of_people(db: sqlite_utils.Database) -> None:
    """Who decided what about a bill, and who agreed."""
    for statement in _statements(_DECISIONS):
        db.execute(statement)


_SAMPLE_BLOCKS = """
CREATE TABLE sample_block (
    transaction_id TEXT NOT NULL, at_ms INTEGER NOT NULL, energy_e4kwh INTEGER, states BLOB NOT NULL) STRICT;
CREATE INDEX sample_block_of ON sample_block (transaction_id)
"""
_SAMPLES_BEFORE = """SELECT at_ms, energy_e4kwh, amount_e4yuan, voltage_dv, current_da, soc_percent, is_charging,
 is_plugged FROM sample WHERE transaction_id = ? ORDER BY rowid"""


@migrations()
def samples_in_blocks(db: sqlite_utils.Database) -> None:
    """Many samples of a session in one row, packed; sessions in the order in which they began to be sampled."""
    for statement in _statements(_SAMPLE_BLOCKS):
        db.execute(statement)
    began = "SELECT transaction_id FROM sample GROUP BY transaction_id ORDER BY min(rowid)"
    for (transaction_id,) in db.execute(began).fetchall():
        states = db.execute(_SAMPLES_BEFORE, (transaction_id,))
        while some := states.fetchmany(_SAMPLES_AT_ONCE):
            plugs = [None if plug is None else bool(plug) for *_, plug in some]
            rows = [(*state[:7], plug) for state, plug in zip(some, plugs, strict=True)]
            db.execute("INSERT INTO sample_block VALUES (?,?,?,?)", (transaction_id, *pack_states(rows)))
    db.execute("DROP TABLE sample")


_FRAME_BLOCKS = """
CREATE TABLE frame_block (
    id INTEGER PRIMARY KEY, pile_id TEXT NOT NULL, link TEXT NOT NULL, from_ms INTEGER NOT NULL, about TEXT NOT NULL,
    data BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
CREATE INDEX frame_block_of ON frame_block (pile_id, from_ms);
CREATE TRIGGER frame_block_is_never_edited BEFORE UPDATE ON frame_block
    BEGIN SELECT RAISE(ABORT, 'evidence is never edited'); END
"""


@migrations()
def frames_in_blocks(db: sqlite_utils.Database) -> None:
    """Many kept frames of a pile in one row; where their chain of digests was broken, it stays so."""
    for statement in _statements(_FRAME_BLOCKS):
        db.execute(statement)
    rows = RowWriter(db.conn, (), lambda *_: None)
    pending: dict[str, list[FrameKept]] = {}
    former: dict[str, bytes] = {}

    def put(pile_id: str) -> None:
        for block in pack_frames(pending.pop(pile_id, ())):
            rows.write(block)
        rows.finish()

    for pile_id, at_ms, link, kind, about, data, digest in db.execute(
        "SELECT pile_id, at_ms, link, kind, about, data, digest FROM frame ORDER BY id"
    ):
        head = f"{at_ms}\n{link}\n{kind}\n".encode()
        if pile_id in former and digest != hashlib.sha256(former[pile_id] + head + data).digest():
            put(pile_id)
            rows.break_chain(pile_id)
        former[pile_id] = digest
        pending.setdefault(pile_id, []).append(FrameKept(pile_id, at_ms, link, kind, about, data))
        if len(pending[pile_id]) >= _FRAMES_AT_ONCE:
            put(pile_id)
    for pile_id in list(pending):
        put(pile_id)
    db.execute("DROP TABLE frame")


def _statements(script: str) -> list[str]:
    """The statements of a script; a trigger's inner semicolons stay inside."""
    found: list[str] = []
    pending = ""
    for piece in script.split(";"):
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            found.append(pending.strip().removesuffix(";"))
            pending = ""
    if pending.strip(" ;\n"):
        found.append(pending.strip().removesuffix(";"))
    return found


def prepare(connection: sqlite3.Connection) -> None:
    """Put a connection of the writer into its mode, and bring the schema up to date."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    migrations.apply(sqlite_utils.Database(connection))
