"""After-sales cases: the work of people on bills, written down as it happens.

A case is opened for a problem, names the bills it is about, and tells its story in entries that are never edited:
notes, changes of state, links, attachments, each with its author and moment. Whoever opens, notes, links or attaches
is named; what a case says of a bill never changes the bill.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

from billing_core.civil import Zone
from gateway.store.reader import Reader, Rows

STATES = ("open", "in_progress", "on_hold", "solved")
ATTACHMENT_BYTES_MAX = 20 << 20
_TEXT_CHARS_MAX = 10_000
_NAME_CHARS_MAX = 255
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Call = Callable[[Callable[[sqlite3.Connection], Any]], "Future[Any]"]


# -- changing -------------------------------------------------------------------------------------------


def open_case(
    call: Call, problem: str, *, bills: Sequence[str], author: str, at_ms: int, zone: Zone
) -> Future[dict[str, Any]]:
    """Open a case; done with its row. Fails when a bill does not exist.

    Args:
        problem: what is wrong, in words.
        bills: transaction_ids of the bills it is about; may be none yet.
        author: the person.
        zone: decides which year the number belongs to.
    """
    year = (_EPOCH + timedelta(milliseconds=zone.civil_ms(at_ms))).year
    problem, author = _text(problem, "the problem"), _author(author)

    def work(connection: sqlite3.Connection) -> dict[str, Any]:
        sql = "SELECT coalesce(max(sequence), 0) + 1 FROM case_file WHERE year = ?"
        sequence = connection.execute(sql, (year,)).fetchone()[0]
        case_no = f"C{year}-{sequence:04d}"
        values = (case_no, year, sequence, problem, "open", at_ms, at_ms)
        connection.execute("INSERT INTO case_file VALUES (?,?,?,?,?,?,?)", values)
        _enter(connection, case_no, at_ms, author, "opened", problem)
        for transaction_id in dict.fromkeys(bills):
            _link(connection, case_no, transaction_id, at_ms, author)
        return _row(connection, case_no)

    return call(work)


def add_note(call: Call, case_no: str, text: str, *, author: str, at_ms: int) -> Future[dict[str, Any]]:
    """Add a note; done with the case's row."""
    text, author = _text(text, "the note"), _author(author)
    return call(lambda connection: _changed(connection, case_no, at_ms, author, "note", text))


def set_state(
    call: Call, case_no: str, state: str, *, text: str = "", author: str, at_ms: int
) -> Future[dict[str, Any]]:
    """Move a case to another state, with a word of why; a solved one may be taken up again."""
    if state not in STATES:
        raise ValueError(f"{state!r} is not a state; a case is {', '.join(STATES)}")
    author = _author(author)
    why = f"{state}: {_text(text, 'the reason')}" if text.strip() else state

    def work(connection: sqlite3.Connection) -> dict[str, Any]:
        if _row(connection, case_no)["state"] == state:
            raise ValueError(f"case {case_no} is {state} already")
        connection.execute("UPDATE case_file SET state = ? WHERE case_no = ?", (state, case_no))
        return _changed(connection, case_no, at_ms, author, "state", why)

    return call(work)


def link_bill(call: Call, case_no: str, transaction_id: str, *, author: str, at_ms: int) -> Future[dict[str, Any]]:
    """Say that a case is about a bill too; saying it again changes nothing."""
    author = _author(author)

    def work(connection: sqlite3.Connection) -> dict[str, Any]:
        _row(connection, case_no)
        _link(connection, case_no, transaction_id, at_ms, author)
        return _row(connection, case_no)

    return call(work)


def attach(call: Call, case_no: str, name: str, content: bytes, *, author: str, at_ms: int) -> Future[str]:
    """Attach a file; done with its SHA-256. Equal content is kept once, however often it is attached."""
    author = _author(author)
    name = name.replace("\\", "/").rpartition("/")[2].strip()
    if not name or len(name) > _NAME_CHARS_MAX or not name.isprintable():
        raise ValueError(f"an attachment has a printable name of 1 to {_NAME_CHARS_MAX} characters")
    if not content or len(content) > ATTACHMENT_BYTES_MAX:
        raise ValueError(f"an attachment has 1 to {ATTACHMENT_BYTES_MAX} bytes")
    sha256 = hashlib.sha256(content).hexdigest()

    def work(connection: sqlite3.Connection) -> str:
        _row(connection, case_no)
        connection.execute("INSERT OR IGNORE INTO attachment VALUES (?,?)", (sha256, content))
        values = (case_no, sha256, name, len(content), at_ms, author)
        made = connection.execute("INSERT OR IGNORE INTO case_attachment VALUES (?,?,?,?,?,?)", values)
        if made.rowcount:
            _changed(connection, case_no, at_ms, author, "attached", f"{name} {sha256}")
        return sha256

    return call(work)


def _text(text: str, what: str) -> str:
    text = text.strip()
    if not text or len(text) > _TEXT_CHARS_MAX:
        raise ValueError(f"{what} has 1 to {_TEXT_CHARS_MAX} characters")
    return text


def _author(author: str) -> str:
    author = author.strip()
    if not author or len(author) > _NAME_CHARS_MAX:
        raise ValueError("a person must be named")
    return author


def _enter(connection: sqlite3.Connection, case_no: str, at_ms: int, author: str, kind: str, text: str) -> None:
    values = (case_no, at_ms, author, kind, text)
    connection.execute("INSERT INTO case_entry (case_no, at_ms, author, kind, text) VALUES (?,?,?,?,?)", values)


def _changed(
    connection: sqlite3.Connection, case_no: str, at_ms: int, author: str, kind: str, text: str
) -> dict[str, Any]:
    _row(connection, case_no)
    connection.execute("UPDATE case_file SET changed_at_ms = max(changed_at_ms, ?) WHERE case_no = ?", (at_ms, case_no))
    _enter(connection, case_no, at_ms, author, kind, text)
    return _row(connection, case_no)


def _link(connection: sqlite3.Connection, case_no: str, transaction_id: str, at_ms: int, author: str) -> None:
    if connection.execute("SELECT 1 FROM bill WHERE transaction_id = ?", (transaction_id,)).fetchone() is None:
        raise ValueError(f"bill {transaction_id} does not exist")
    made = connection.execute("INSERT OR IGNORE INTO case_bill VALUES (?,?)", (case_no, transaction_id))
    if made.rowcount:
        _changed(connection, case_no, at_ms, author, "linked", transaction_id)


def _row(connection: sqlite3.Connection, case_no: str) -> dict[str, Any]:
    cursor = connection.execute("SELECT * FROM case_file WHERE case_no = ?", (case_no,))
    row = cursor.fetchone()
    if row is None:
        raise ValueError(f"case {case_no} does not exist")
    return dict(zip([column[0] for column in cursor.description], row, strict=True))


# -- looking --------------------------------------------------------------------------------------------


def find_case(reader: Reader, case_no: str) -> dict[str, Any] | None:
    """A case with its ``bills``, ``entries`` and ``attachments``, oldest first."""
    row = reader.one("SELECT * FROM case_file WHERE case_no = ?", (case_no,))
    if row is None:
        return None
    bills = reader.all("SELECT transaction_id FROM case_bill WHERE case_no = ? ORDER BY rowid", (case_no,))
    return {
        **row,
        "bills": [each["transaction_id"] for each in bills],
        "entries": reader.all("SELECT * FROM case_entry WHERE case_no = ? ORDER BY id", (case_no,)),
        "attachments": reader.all("SELECT * FROM case_attachment WHERE case_no = ? ORDER BY rowid", (case_no,)),
    }


def find_cases(
    reader: Reader,
    *,
    state: str | None = None,
    bill: str | None = None,
    before: tuple[int, str] | None = None,
    limit: int = 100,
) -> Rows:
    """Cases, newest first, from behind the cursor (opened_at_ms, case_no)."""
    terms, values = ["1"], list[object]()
    for term, value in (
        ("state = ?", state),
        ("case_no IN (SELECT case_no FROM case_bill WHERE transaction_id = ?)", bill),
    ):
        if value is not None:
            terms.append(term)
            values.append(value)
    if before is not None:
        terms.append("(opened_at_ms, case_no) < (?, ?)")
        values += before
    sql = f"SELECT * FROM case_file WHERE {' AND '.join(terms)} ORDER BY opened_at_ms DESC, case_no DESC LIMIT ?"
    rows = reader.all(sql, (*values, limit))
    for row in rows:
        linked = reader.all("SELECT transaction_id FROM case_bill WHERE case_no = ? ORDER BY rowid", (row["case_no"],))
        row["bills"] = [each["transaction_id"] for each in linked]
    return rows


def cases_of(reader: Reader, transaction_ids: Iterable[str]) -> dict[str, list[str]]:
    """Transaction → numbers of the cases about it."""
    sql = "SELECT case_no FROM case_bill WHERE transaction_id = ? ORDER BY case_no"
    return {each: [row["case_no"] for row in reader.all(sql, (each,))] for each in transaction_ids}


def find_attachment(reader: Reader, case_no: str, sha256: str) -> tuple[str, bytes] | None:
    """(name, content) of an attachment of a case."""
    row = reader.one(
        "SELECT name, content FROM case_attachment JOIN attachment USING (sha256) WHERE case_no = ? AND sha256 = ?",
        (case_no, sha256),
    )
    return None if row is None else (row["name"], row["content"])
