"""What callers get: the shapes of answers, for the OpenAPI document; ``gateway/api/shapes.py`` makes them.

Answers are not run through these models: the document is held against real answers by the tests.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

Instant = str | None


class Answer(BaseModel):
    """An object with exactly these members."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """RFC 9457; the last part of ``type`` is stable and meant for programs. Some problems have more members."""

    type: str
    title: str
    status: int
    detail: str


class Bill(BaseModel):
    """A bill; its place in the document is taken by the bill's own JSON Schema."""


class Health(Answer):
    """Liveness and readiness; each check is ``ok`` or says what is wrong."""

    status: str
    version: str
    checks: dict[str, str]


class Connector(Answer):
    """The newest that is known of a connector."""

    no: int
    status: str
    is_plugged: bool | None
    is_faulted: bool
    faults: list[Any]
    transaction_id: str | None
    sampled_at: Instant
    voltage_v: str
    current_a: str
    soc_percent: int
    parking_lock: str | None


class Pile(Answer):
    """A pile with its connectors."""

    pile_id: str
    station: str
    protocol: str
    firmware_version: str
    current: str | None
    connector_count: int
    is_online: bool
    has_link: bool
    logged_in_at: Instant
    heard_at: Instant
    tariff_model_no: str | None
    clock_offset_s: int | None
    clock_checked_at: Instant
    connectors: list[Connector]


class UnknownPile(Answer):
    """A pile that was refused."""

    pile_id: str
    address: str
    protocol: str
    firmware_version: str
    connector_count: int
    attempts: int
    first_seen_at: Instant
    last_seen_at: Instant


class Order(Answer):
    """An order: ``state`` is queued, sent, accepted, refused, timed_out or failed."""

    order_id: str
    pile_id: str
    connector: int | None
    kind: str
    transaction_id: str | None
    state: str
    actor: str
    created_at: Instant
    deadline_at: Instant
    request: dict[str, Any]
    result: dict[str, Any] | None


class Orders(Answer):
    """The orders that one call made; a query of cards also says which the pile holds."""

    orders: list[Order]
    cards: list[dict[str, Any]] | None = None


class Started(Answer):
    """A remote start that was written down and sent."""

    transaction_id: str
    parallel_no: str | None
    orders: list[Order]


class Live(Answer):
    """What a session has come to; fees are null without a tariff."""

    duration_s: int
    energy_kwh: str
    energy_fee: str | None
    service_fee: str | None
    amount: str | None
    is_record_overdue: bool


class Session(Answer):
    """A session: ``state`` is opened, charging, ended, not_started or billed."""

    transaction_id: str
    order_no: str
    pile_id: str
    connector: int
    state: str
    start_channel: str | None
    opened_at: Instant
    ended_at: Instant
    energy_kwh: str


class SessionDetail(BaseModel):
    """A session with its live figures and the order it came of.

    An order that opened no session yet has the state ``not_opened`` and no further members.
    """

    transaction_id: str
    state: str
    live: Live | None
    order: Order | None


class Sample(Answer):
    """A charging sample."""

    at: Instant
    energy_kwh: str
    amount: str
    voltage_v: str
    current_a: str
    soc_percent: int


class Revision(Answer):
    """A revision of a bill."""

    revision: int
    reason: str
    actor: str
    created_at: Instant
    bill: Bill


class OutboxEntry(Answer):
    """An event on its way to one upstream: ``state`` is pending, delivered or dead."""

    id: int
    upstream: str
    event_id: str
    type: str
    partition: str
    sequence: int
    state: str
    attempts: int
    created_at: Instant
    due_at: Instant
    delivered_at: Instant
    last_status: int | None
    last_error: str | None


class Upstream(Answer):
    """How one upstream stands: entries per state, and the breaker."""

    upstream: str
    state: str
    entries: int
    oldest_at: Instant
    breaker: str | None


class Account(Answer):
    """An account."""

    account_id: str
    name: str
    balance: str
    is_frozen: bool


class Card(Answer):
    """A card of the authorisation list."""

    card_uid: str
    logic_card: str
    account_id: str
    is_frozen: bool


class Vin(Answer):
    """A car of the authorisation list."""

    vin: str
    account_id: str
    is_frozen: bool


class Page(Answer):
    """One page; ``next_cursor`` is null on the last."""

    items: list[Any]
    next_cursor: str | None


class PilePage(Page):
    """Piles."""

    items: list[Pile]


class UnknownPilePage(Page):
    """Refused piles."""

    items: list[UnknownPile]


class SessionPage(Page):
    """Sessions."""

    items: list[Session]


class SamplePage(Page):
    """Samples."""

    items: list[Sample]


class BillPage(Page):
    """Bills."""

    items: list[Bill]


class RevisionPage(Page):
    """Revisions of one bill, and the records it rests on."""

    items: list[Revision]
    records: list[dict[str, Any]]


class OrderPage(Page):
    """Orders."""

    items: list[Order]


class OutboxPage(Page):
    """Outbox entries, and how each upstream stands."""

    items: list[OutboxEntry]
    upstreams: list[Upstream]


class AccountPage(Page):
    """Accounts."""

    items: list[Account]


class CardPage(Page):
    """Cards."""

    items: list[Card]


class VinPage(Page):
    """Cars."""

    items: list[Vin]


class Retried(Answer):
    """An entry that is pending again."""

    id: int
    state: str


class EventPut(Answer):
    """The event that was put into every queue."""

    event_id: str


class Adopted(Answer):
    """A pile that was let in."""

    pile_id: str
    station: str


class CaseEntry(Answer):
    """One entry of a case's story: ``kind`` is opened, note, state, linked or attached."""

    at: Instant
    author: str
    kind: str
    text: str


class CaseAttachment(Answer):
    """A file of a case, named by its content."""

    sha256: str
    name: str
    size_bytes: int
    at: Instant
    author: str


class CaseSummary(Answer):
    """A case: ``state`` is open, in_progress, on_hold or solved."""

    case_no: str
    problem: str
    state: str
    opened_at: Instant
    changed_at: Instant
    bills: list[str]


class Case(CaseSummary):
    """A case with its story."""

    entries: list[CaseEntry]
    attachments: list[CaseAttachment]


class CasePage(Page):
    """Cases."""

    items: list[CaseSummary]


class Attached(Answer):
    """The name of what was attached."""

    sha256: str


class Tally(Answer):
    """Sums over the sessions of a period, or of a slice of them; amounts are those of abnormal bills."""

    sessions: int
    abnormal: int
    abnormal_per_1000: str
    decided_by_rule: int
    decided_by_people: int
    waiting_for_people: int
    amount_first: str
    amount_newest: str
    amount_change: str
    amount_waiting: str
    energy_kwh: str
    codes: dict[str, int]


class Group(Tally):
    """The sums of one slice; by code a bill counts under each of its codes."""

    key: str


class MeterReport(Answer):
    """What a connector's register counted, against what was billed there."""

    pile_id: str
    connector: int
    station: str
    model: str
    firmware_version: str
    sessions: int
    register_moved_kwh: str
    billed_kwh: str
    waiting_kwh: str
    unbilled_kwh: str


class AbnormalBill(Answer):
    """One abnormal bill: ``decided`` is rule, person or waiting."""

    transaction_id: str
    pile_id: str
    connector: int
    station: str
    model: str
    firmware_version: str
    opened_at: Instant
    status: str
    codes: list[str]
    decided: str
    amount_first: str
    amount_newest: str


class AbnormalReport(Answer):
    """Abnormal bills of a period; groups and connectors have the worst first."""

    since: Instant
    until: Instant
    by: str
    sessions_without_bill: int
    total: Tally
    groups: list[Group]
    connectors: list[MeterReport]
    bills: list[AbnormalBill]


class DecisionAnswer(Answer):
    """A decision: ``state`` is proposed (a second person must agree), effective, rejected or outdated."""

    decision_id: str
    transaction_id: str
    kind: str
    terms: dict[str, Any]
    reason: str
    evidence: list[str]
    proposer: str
    proposed_at: Instant
    base_revision: int
    stake: str
    state: str
    approver: str | None
    decided_at: Instant
    revision: int | None


class DecisionPage(Page):
    """Decisions."""

    items: list[DecisionAnswer]


class EnergySource(Answer):
    """Where the energy of a charge may be taken from."""

    name: str
    energy_kwh: str


class EnergySources(Answer):
    """Sources, the better ones first."""

    items: list[EnergySource]


def shown(model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """Arguments of a route that answers in this shape."""
    return {"response_model": None, "status_code": status, "responses": {status: {"model": model}}}
