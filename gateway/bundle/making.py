"""Makes a bundle of evidence from the database, or from frame logs where the database kept no frames."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from billing_core.civil import Zone, iso_local
from billing_core.steps import steps
from gateway import __version__
from gateway.bundle import archive
from gateway.bundle.frames import Scope, broken_at, frames_of, scope_of
from gateway.deciding import decisions_behind
from gateway.decode import decode_sources
from gateway.errors import StoreError
from gateway.framelog.text import TextLogWriter
from gateway.outcome import FrameKept
from gateway.store.reader import Reader

FRAMES, DECODED = "frames.jsonl", "frames.decoded.jsonl"
BILL, REVISIONS, RECORDS, CONTEXT = "bill.json", "revisions.jsonl", "records.jsonl", "context.json"
DECISIONS, STEPS = "decisions.jsonl", "computation.json"
COMPUTATION, CASES, READ_ME = "computation.txt", "cases.json", "README.txt"
FORMAT = "pilegate-evidence-1"

_READ_ME = """Evidence of one bill / 单个账单的证据包

Recompute the bill from the frames alone:   pilegate verify THIS-FILE.zip
仅凭报文重新计算账单:                        pilegate verify 本文件.zip

bill.json              the bill as it stands                     当前账单
revisions.jsonl        every revision, with reason and actor     全部版本(原因、操作人)
computation.txt        the bill with every step                  计算过程
computation.json       the same as data                          计算过程(数据)
decisions.jsonl        what people decided, and who agreed       人工决定及复核人
frames.jsonl           the frames as they came                   原始报文
frames.decoded.jsonl   the same, decoded                         解码后的报文
records.jsonl          the transaction records with their hashes 交易记录及哈希
site-N.toml            tariffs and master data, as they were     当时的计费模型与设备档案
context.json           what the frames cover                     范围
cases.json             after-sales cases about this bill         售后工单
manifest.json          SHA-256 of every file                     每个文件的哈希
manifest.sha256        SHA-256 of the manifest                   清单的哈希
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A bundle and its seal; ``broken_at`` is the id of a kept frame that is not what it was, ``None`` when all are."""

    data: bytes
    seal: str
    frames: int
    broken_at: int | None


def make_bundle(
    reader: Reader,
    transaction_id: str,
    *,
    zone: Zone,
    now_ms: int,
    site_text: str,
    computation: str | None = None,
    cases: object = (),
    logged: Iterable[FrameKept] = (),
) -> Made:
    """The bundle of one transaction.

    Args:
        now_ms: when it is made, Unix ms.
        site_text: the site file of today, for databases that never wrote one down.
        computation: the bill with every step, for people; told here when not given.
        cases: JSON-able, about this bill.
        logged: frames cut from logs, used when the database kept none.

    Raises ``StoreError`` when there is no bill.
    """
    scope = scope_of(reader, transaction_id)
    if scope is None:
        raise StoreError("bill_unknown", f"bill {transaction_id} does not exist")
    frames = frames_of(reader, scope)
    source = "database"
    if not any(frame.kind in ("up", "down") for frame in frames):
        source = "logs"
        frames = [each for each in logged if each.pile_id == scope.pile_id and each.at_ms <= scope.until_ms + 60_000]
    broken = broken_at(reader, scope)
    revisions = reader.revisions(transaction_id)
    sites = _sites(reader, frames, scope, site_text)
    log_text = frames_text(frames, zone)
    files = {
        READ_ME: _READ_ME.encode(),
        BILL: _json(json.loads(revisions[-1]["body"])),
        REVISIONS: b"".join(_line(_revision(row, zone)) for row in revisions),
        COMPUTATION: (_told(revisions) if computation is None else computation).encode(),
        STEPS: _json(json.loads(revisions[-1]["computation"])),
        DECISIONS: b"".join(_line(dataclasses.asdict(each)) for each in decisions_behind(reader, transaction_id)),
        FRAMES: log_text.encode(),
        DECODED: decoded_text(log_text).encode(),
        RECORDS: b"".join(_line(_record(row, zone)) for row in reader.records(transaction_id)),
        **{f"site-{number}.toml": text.encode() for number, (_, text) in enumerate(sites, start=1)},
        CASES: _json(cases),
        CONTEXT: _json({**_context(scope, sites, source, zone), "broken_at_frame": broken}),
    }
    about = {
        "format": FORMAT,
        "made_by": f"pilegate {__version__}",
        "made_at": iso_local(now_ms, zone),
        "transaction_id": transaction_id,
    }
    sealed = archive.seal(files, about)
    return Made(archive.pack(sealed), hashlib.sha256(sealed[archive.MANIFEST]).hexdigest(), len(frames), broken)


def frames_text(frames: Iterable[FrameKept], zone: Zone) -> str:
    """Frames as a text log with the site's offsets."""
    out = io.StringIO()
    for frame in frames:
        offset_min = (zone.civil_ms(frame.at_ms) - frame.at_ms) // 60_000
        writer = TextLogWriter(out, utc_offset_min=offset_min)
        protocol = (frame.about or None) if frame.kind == "open" else None
        writer.append(frame.at_ms, frame.link, frame.kind, frame.data, protocol)  # type: ignore[arg-type]
    return out.getvalue()


def decoded_text(log_text: str) -> str:
    """A text log decoded, one frame a line."""
    out = io.StringIO()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / FRAMES
        path.write_text(log_text, encoding="utf-8")
        decode_sources([str(path)], as_json=True, options=frozenset(), out=out, err=io.StringIO())
    return out.getvalue()


def _told(revisions: Sequence[Mapping[str, Any]]) -> str:
    """The newest bill in its sentences and steps, in both languages, and every revision."""
    newest = revisions[-1]
    document = json.loads(newest["body"])
    found = steps(document, json.loads(newest["computation"]))
    lines = []
    for number, language in enumerate(("en", "zh")):
        lines += [" ".join(document["explanation"][language]), ""]
        lines += [f"{count:>3}. {step[number]}" for count, step in enumerate(found, start=1)]
        lines.append("")
    lines += [f"revision {row['revision']}: {row['status']}, {row['reason']}, by {row['actor']}" for row in revisions]
    return "\n".join(lines) + "\n"


def _sites(reader: Reader, frames: list[FrameKept], scope: Scope, site_text: str) -> list[tuple[int, str]]:
    """(from when, text) of every site file in force from the first frame on."""
    start_ms = min((frame.at_ms for frame in frames), default=scope.opened_at_ms)
    rows = reader.all("SELECT at_ms, text FROM site_version WHERE at_ms <= ? ORDER BY id", (scope.until_ms,))
    known = [(row["at_ms"], row["text"]) for row in rows]
    if not known:
        return [(start_ms, site_text)]
    earlier = [each for each in known if each[0] <= start_ms]
    return [*(earlier[-1:] or []), *(each for each in known if each[0] > start_ms)]


def _context(scope: Scope, sites: list[tuple[int, str]], source: str, zone: Zone) -> dict[str, Any]:
    return {
        "transaction_id": scope.transaction_id,
        "pile_id": scope.pile_id,
        "connector": scope.connector,
        "opened_at": iso_local(scope.opened_at_ms, zone),
        "until": iso_local(scope.until_ms, zone),
        "frames_from": source,
        "sites": [
            {"from": iso_local(at_ms, zone), "file": f"site-{number}.toml"}
            for number, (at_ms, _) in enumerate(sites, start=1)
        ],
    }


def _revision(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    return {
        "revision": row["revision"],
        "reason": row["reason"],
        "actor": row["actor"],
        "created_at": iso_local(row["created_at_ms"], zone),
        "bill": json.loads(row["body"]),
    }


def _record(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    return {
        "received_at": iso_local(row["rx_ms"], zone),
        "serial": row["serial"],
        "sha256": row["content_hash"],
        "body_hex": row["body"].hex().upper(),
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
