"""Deciding about bills on the command line: through the running daemon, or in the database of a stopped one."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import httpx

from billing_core.civil import Zone, iso_local
from billing_core.fixed import format_e4, format_fen, parse_scaled
from gateway import deciding
from gateway.clock import Clock
from gateway.commands.common import db_option, place, reading
from gateway.config import Config, read_config
from gateway.decisions import Decision, DecisionError, Decisions, sentences
from gateway.engine import Engine
from gateway.errand import Errand, errand_for
from gateway.errors import StoreError
from gateway.forwarders.cloudevents import CloudEvents
from gateway.logs import LogConfig, set_up
from gateway.manage import merged_site
from gateway.outcome import DecisionSaved, Outcome
from gateway.restore import restore_engine
from gateway.show import print_table
from gateway.site import instant_of
from gateway.store import Store
from gateway.store.backup import is_in_use

_WAIT_S = 30


@click.group()
def decide() -> None:
    """Decide about a bill: each decision is a revision with its reason, and no former one is changed.

    Above 50 yuan a second person must agree: pilegate decide confirm. While the daemon runs, decisions go through its
    HTTP interface with $PILEGATE_TOKEN, whose name is who you are.
    """


def _deciding(*more: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What all decisions take."""

    def wrap(command: Any) -> Any:
        options = (
            click.argument("transaction"),
            *more,
            click.option("--reason", required=True, help="Why, for whoever reads this later."),
            click.option("--en", "explanation_en", default="", help="What the customer is told: one or two sentences."),
            click.option("--zh", "explanation_zh", default="", help="The same in Chinese; give both, or neither."),
            click.option("--evidence", multiple=True, metavar="SHA256", help="What you looked at, by its hash."),
            click.option("--token", envvar="PILEGATE_TOKEN", default=None, help="For a running daemon."),
            click.option("--by", "author", envvar="PILEGATE_BY", default=None, help="Who you are, without a daemon."),
            db_option,
        )
        for option in reversed(options):
            command = option(command)
        return command

    return wrap


@decide.command("approve")
@_deciding()
def decide_approve(**told: Any) -> None:
    """Approve what the engine proposes for a bill under review."""
    _decide("approve", told)


@decide.command("source")
@_deciding(click.argument("source"))
def decide_source(source: str, **told: Any) -> None:
    """Bill the energy of another source of evidence; `pilegate decide sources` names them."""
    _decide("source", told, source=source)


@decide.command("amount")
@_deciding(click.argument("amount"))
def decide_amount(amount: str, **told: Any) -> None:
    """Bill less than the evidence comes to, in yuan; needs --en and --zh."""
    try:
        fen = parse_scaled(amount, 2)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="AMOUNT") from error
    _decide("amount", told, amount_fen=fen)


@decide.command("waive")
@_deciding()
def decide_waive(**told: Any) -> None:
    """Charge nothing."""
    _decide("waive", told)


@decide.command("split")
@_deciding(click.argument("at", metavar="TIME"))
def decide_split(at: str, **told: Any) -> None:
    """Cut a bill in two at a moment; the second part becomes a bill under review that is nobody's yet."""
    _decide("split", told, split_at_ms=instant_of(at))


@decide.command("assign")
@_deciding(click.argument("session"))
def decide_assign(session: str, **told: Any) -> None:
    """Assign the record of an orphan bill to the session it belongs to."""
    _decide("assign", told, target=session)


@decide.command("meter-replaced")
@_deciding()
def decide_meter_replaced(**told: Any) -> None:
    """Say that the connector's meter was replaced before this charge: its register begins anew."""
    _decide("meter_replaced", told)


@decide.command("confirm")
@db_option
@click.argument("decision_id")
@click.option("--evidence", multiple=True, metavar="SHA256", help="What you looked at, by its hash.")
@click.option("--token", envvar="PILEGATE_TOKEN", default=None, help="For a running daemon.")
@click.option("--by", "author", envvar="PILEGATE_BY", default=None, help="Who you are, without a daemon.")
def decide_confirm(
    config_path: Path | None,
    db_path: Path | None,
    decision_id: str,
    evidence: tuple[str, ...],
    token: str | None,
    author: str | None,
) -> None:
    """Agree to what another person proposed."""
    config, path = _place(config_path, db_path)
    if is_in_use(path):
        _post(config, token, f"/decisions/{decision_id}/confirm", {"evidence": list(evidence)})
        return
    with _desk(config, path) as desk:
        saved = desk.find(decision_id)
        decisions, at_ms = desk.decisions, Clock().now_ms()
        desk.keep(*deciding.confirm(decisions, saved, _author(author), evidence=evidence, at_ms=at_ms))


@decide.command("reject")
@db_option
@click.argument("decision_id")
@click.option("--token", envvar="PILEGATE_TOKEN", default=None, help="For a running daemon.")
@click.option("--by", "author", envvar="PILEGATE_BY", default=None, help="Who you are, without a daemon.")
def decide_reject(
    config_path: Path | None, db_path: Path | None, decision_id: str, token: str | None, author: str | None
) -> None:
    """Put a proposal aside."""
    config, path = _place(config_path, db_path)
    if is_in_use(path):
        _post(config, token, f"/decisions/{decision_id}/reject", None)
        return
    with _desk(config, path) as desk:
        desk.keep(*deciding.reject(desk.find(decision_id), _author(author), at_ms=Clock().now_ms()))


@decide.command("list")
@db_option
@click.option("--bill", default=None, metavar="TRANSACTION", help="Of one bill; else those that wait.")
@click.option("--json", "as_json", is_flag=True, help="One object a line, as JSON.")
def decide_list(config_path: Path | None, db_path: Path | None, bill: str | None, as_json: bool) -> None:
    """List decisions that wait for a second person, or all of one bill."""
    with reading(config_path, db_path) as (reader, _):
        rows = deciding.decisions_on(reader, bill) if bill else deciding.decisions_waiting(reader)
    if as_json:
        for row in rows:
            click.echo(json.dumps(dataclasses.asdict(row), ensure_ascii=False))
        return
    print_table(
        ("decision", "kind", "state", "stake", "proposer", "approver", "revision", "reason"),
        [
            (r.decision_id, r.kind, r.state, format_fen(r.stake_fen), r.proposer, r.approver, r.revision, r.reason)
            for r in rows
        ],
    )


@decide.command("sources")
@db_option
@click.argument("transaction")
def decide_sources(config_path: Path | None, db_path: Path | None, transaction: str) -> None:
    """Name the sources that a charge's energy may be taken from, the better ones first, and what each comes to."""
    sheet, _ = _errand(config_path, db_path, transaction)
    print_table(
        ("source", "kWh", "sure", "yuan"),
        [
            (each.source, format_e4(each.energy_e4kwh), f"{each.sure_percent} %", format_fen(each.amount_fen))
            for each in sheet.alternatives
        ],
    )


@decide.command("errand")
@db_option
@click.argument("transaction")
def decide_errand(config_path: Path | None, db_path: Path | None, transaction: str) -> None:
    """Print the sheet for whoever walks to the pile: where, when, what to read, what each reading comes to."""
    sheet, zone = _errand(config_path, db_path, transaction)
    before, after = (
        "?" if value is None else format_e4(value) for value in (sheet.meter_before_e4kwh, sheet.meter_after_e4kwh)
    )
    click.echo(f"pile 桩编号      {sheet.pile_id}  connector 枪号 {sheet.connector}  {sheet.station}")
    click.echo(f"transaction 流水号 {sheet.transaction_id}")
    click.echo(
        f"look for charges 查找时段  {iso_local(sheet.from_ms, zone)[:16]} – {iso_local(sheet.to_ms, zone)[:16]}"
    )
    click.echo(f"meter before and after 前后表底  {before} → {after} kWh")
    if sheet.window_e4kwh is not None:
        least, most = sheet.window_e4kwh
        upto = "?" if most is None else format_e4(most)
        click.echo(f"live data admit 实时数据允许  {format_e4(max(least, 0))} – {upto} kWh")
    click.echo("read on its screen 屏上请读取: start, end, energy, both meter readings 起止时间、电量、起止表底")
    for each in sheet.alternatives:
        click.echo(f"  {each.source:<16}{format_e4(each.energy_e4kwh):>12} kWh{format_fen(each.amount_fen):>12} yuan")
    if sheet.deciding_e4kwh is not None:
        click.echo(f"an energy above or below {format_e4(sheet.deciding_e4kwh)} kWh decides 以此电量为界判断")


def _errand(config_path: Path | None, db_path: Path | None, transaction: str) -> tuple[Errand, Zone]:
    """The errand sheet of a charge, from what is stored of it. Raises ``StoreError``."""
    config, _ = read_config(config_path)
    with reading(config_path, db_path) as (reader, site):
        engine = Engine(
            site,
            config.session,
            silence_ms_max=config.presence.silence_ms_max,
            recall=reader.recall,
            is_replay=False,
        )
        engine.sessions.chains.recall = reader.register_chain
        session = engine.sessions.find(transaction)
        if session is None:
            raise StoreError("session_unknown", f"transaction {transaction} does not exist")
        return errand_for(engine.sessions.evidence(session, Clock().now_ms())), site.zone


# -- carrying out ---------------------------------------------------------------------------------------


def _decide(kind: str, told: dict[str, Any], **terms: Any) -> None:
    config, path = _place(told["config_path"], told["db_path"])
    decision = Decision(
        transaction_id=told["transaction"],
        kind=kind,
        actor=told["author"] or "",
        reason=told["reason"],
        explanation_en=sentences(told["explanation_en"]),
        explanation_zh=sentences(told["explanation_zh"]),
        **terms,
    )
    if is_in_use(path):
        _post(config, told["token"], f"/bills/{decision.transaction_id}/decisions", _body(decision, told, config))
        return
    decision = dataclasses.replace(decision, actor=_author(told["author"]))
    with _desk(config, path) as desk:
        at_ms = Clock().now_ms()
        desk.keep(*deciding.propose(desk.decisions, decision, evidence=told["evidence"], at_ms=at_ms))


def _place(config_path: Path | None, db_path: Path | None) -> tuple[Config, Path]:
    config, _ = read_config(config_path)
    path, _ = place(config_path, db_path)
    if not path.is_file():
        raise StoreError("store_missing", f"{path} does not exist: start the daemon once, or name it with --db")
    return config, path


def _author(author: str | None) -> str:
    if not author or not author.strip():
        raise DecisionError("person_missing", "say who you are: --by, or $PILEGATE_BY")
    return author.strip()


def _body(decision: Decision, told: dict[str, Any], config: Config) -> dict[str, Any]:
    at = None if decision.split_at_ms is None else iso_local(decision.split_at_ms, config.site.zone)
    explanation = {"en": told["explanation_en"], "zh": told["explanation_zh"]}
    return {
        "kind": decision.kind,
        "reason": decision.reason,
        "source": decision.source,
        "amount": None if decision.amount_fen is None else format_fen(decision.amount_fen),
        "at": at,
        "target": decision.target,
        "explanation": explanation if any(explanation.values()) else None,
        "evidence": list(told["evidence"]),
    }


def _post(config: Config, token: str | None, path: str, body: dict[str, Any] | None) -> None:
    """Have the running daemon decide. Raises ``DecisionError``."""
    if not token:
        raise DecisionError("token_missing", "the daemon runs: give --token or $PILEGATE_TOKEN, so that it knows you")
    url = f"http://{config.api.host}:{config.api.port}/api/v1{path}"
    try:
        reply = httpx.post(
            url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=_WAIT_S, trust_env=False
        )
    except httpx.HTTPError as error:
        raise DecisionError("daemon_silent", f"{url}: {error or type(error).__name__}") from error
    answer = reply.json()
    if reply.status_code >= 400:
        raise DecisionError(str(answer.get("type", "refused")).rpartition(":")[2], str(answer.get("detail")))
    _tell(answer["state"], answer["decision_id"], answer["revision"], answer["stake"])


class _Desk:
    """The database of a stopped daemon, with an engine over it."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self.decisions = Decisions(engine.sessions, lambda each: deciding.newest_bill(store.reader, each))

    def find(self, decision_id: str) -> DecisionSaved:
        """A decision. Raises ``StoreError``."""
        saved = deciding.find_decision(self._store.reader, decision_id)
        if saved is None:
            raise StoreError("decision_unknown", f"decision {decision_id} does not exist")
        return saved

    def keep(self, saved: DecisionSaved, outcome: Outcome) -> None:
        """Write what was decided, and say so."""
        if deciding.find_decision(self._store.reader, saved.decision_id) is None or saved.state != deciding.PROPOSED:
            self._store.writer.submit(outcome.rows).result(timeout=_WAIT_S)
        _tell(saved.state, saved.decision_id, saved.revision, format_fen(saved.stake_fen))


@contextmanager
def _desk(config: Config, path: Path) -> Iterator[_Desk]:
    set_up(LogConfig(level="warning"))
    names = tuple(endpoint.name for endpoint in config.endpoints)
    events = CloudEvents(config.endpoints, source=f"/pilegate/{config.site.name}", zone=config.site.zone)
    store = Store(dataclasses.replace(config.store, path=str(path)), endpoints=names, envelope=events)
    try:
        engine = Engine(
            merged_site(config.site, store),
            config.session,
            silence_ms_max=config.presence.silence_ms_max,
            recall=store.reader.recall,
            is_replay=False,
        )
        store.writer.submit(restore_engine(engine, store).rows).result(timeout=_WAIT_S)
        yield _Desk(store, engine)
    finally:
        store.close()


def _tell(state: str, decision_id: str, revision: int | None, stake: str) -> None:
    match state:
        case deciding.EFFECTIVE:
            click.echo(f"{decision_id}: revision {revision} is in force")
        case deciding.PROPOSED:
            click.echo(f"{decision_id}: {stake} yuan are at stake, another person must agree: pilegate decide confirm")
        case deciding.OUTDATED:
            click.echo(f"{decision_id}: the bill was revised since it was proposed; look again and decide anew")
            sys.exit(1)
        case _:
            click.echo(f"{decision_id}: {state}")
