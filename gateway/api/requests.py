"""What callers send: bodies of requests; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

CardUid = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{1,16}$")]
LogicCard = Annotated[str, Field(pattern=r"^[0-9]{1,16}$")]
Vin = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{17}$")]
Yuan = Annotated[str, Field(pattern=r"^[0-9]{1,8}(\.[0-9]{1,2})?$", examples=["50.00"])]
ConnectorNo = Annotated[int, Path(ge=1, le=99)]
_ASCII = r"^[\x21-\x7e]*$"


class Body(BaseModel):
    """A request body; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class StartBody(Body):
    """A remote start: an account's balance, or one that is told; further connectors for parallel charging."""

    account_id: str | None = None
    balance: Yuan | None = None
    card_uid: CardUid | None = None
    parallel_with: list[Annotated[int, Field(ge=1, le=99)]] = Field(default_factory=list, max_length=3)


class BalanceBody(Body):
    """The new balance of whoever charges, or of one card."""

    balance: Yuan
    card_uid: CardUid | None = None


class CardBody(Body):
    """A card that may start offline."""

    card_uid: CardUid
    logic_card: LogicCard = "0"


class CardsBody(Body):
    """Cards to write to a pile."""

    cards: list[CardBody] = Field(min_length=1, max_length=1000)


class UidsBody(Body):
    """Cards to clear or to ask for."""

    card_uids: list[CardUid] = Field(min_length=1, max_length=1000)


class WorkBody(Body):
    """Whether the pile may work, and how hard."""

    is_disabled: bool = False
    max_power_percent: int = Field(100, ge=30, le=100)


class LockBody(Body):
    """What the parking lock shall do."""

    action: Literal["raise", "lower"]


class RebootBody(Body):
    """Now, or when idle."""

    is_immediate: bool = False


class UpdateBody(Body):
    """Where a pile gets its firmware."""

    current: Literal["DC", "AC"]
    power_kw: int = Field(ge=0, le=65_535)
    host: str = Field(min_length=1, max_length=16, pattern=_ASCII)
    port: int = Field(21, ge=1, le=65_535)
    user: str = Field("", max_length=16, pattern=_ASCII)
    password: str = Field("", max_length=16, pattern=_ASCII)
    path: str = Field(min_length=1, max_length=32, pattern=_ASCII)
    is_immediate: bool = False
    timeout_min: int = Field(10, ge=1, le=255)


class FirmwareBody(Body):
    """A file in the gateway's directory of firmware."""

    file: str = Field(min_length=1, max_length=64, pattern=_ASCII)


class QrBody(Body):
    """The prefix of the code on the pile's screen."""

    prefix: str = Field(min_length=1, max_length=200, pattern=_ASCII)
    has_connector: bool = True


class AdoptBody(Body):
    """Where an adopted pile stands."""

    station: str = ""


class AccountBody(Body):
    """An account with its balance."""

    name: str = ""
    balance: Yuan = "0.00"
    is_frozen: bool = False


class CardEntryBody(Body):
    """A card of the authorisation list."""

    account_id: str
    logic_card: LogicCard = "0"
    is_frozen: bool = False


class VinEntryBody(Body):
    """A car of the authorisation list."""

    account_id: str
    is_frozen: bool = False


class CaseBody(Body):
    """A problem, and the bills it is about."""

    problem: str = Field(min_length=1, max_length=10_000)
    bills: list[str] = Field(default_factory=list, max_length=1000)


class NoteBody(Body):
    """What a person has to say."""

    text: str = Field(min_length=1, max_length=10_000)


class CaseStateBody(Body):
    """How far a case is, and why."""

    state: Literal["open", "in_progress", "on_hold", "solved"]
    text: str = Field("", max_length=10_000)


class LinkBody(Body):
    """A bill that a case is about."""

    transaction_id: str = Field(min_length=1, max_length=200)


class ExplanationBody(Body):
    """What the customer is told: at most two sentences each, in both languages."""

    en: str = Field(min_length=1, max_length=1000)
    zh: str = Field(min_length=1, max_length=1000)


class DecisionBody(Body):
    """A decision on a bill, with its reason; the engine writes the explanation where none is given."""

    kind: Literal["approve", "source", "amount", "waive", "split", "assign", "meter_replaced"]
    reason: str = Field(min_length=1, max_length=2000)
    source: str | None = Field(None, max_length=64)
    amount: Yuan | None = None
    at: str | None = None
    target: str | None = Field(None, max_length=200)
    explanation: ExplanationBody | None = None
    evidence: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(default_factory=list, max_length=100)


class AgreementBody(Body):
    """What a second person looked at."""

    evidence: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(default_factory=list, max_length=100)
