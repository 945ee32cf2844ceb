"""The table of one charging session: the only way its state changes.

No guards hide in code. Where facts decide between two targets, the caller makes two different events of them
first. ``pilegate states`` prints this table; docs/states.md is held against it by a test.
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """What a session is in."""

    OPENED = 0  # ordered or authorised, nothing flows yet
    CHARGING = 1
    ENDED = 2  # charging is over, the record is awaited
    NOT_STARTED = 3  # refused, or nothing came within the deadline
    BILLED = 4


STATE_NAMES = tuple(state.name.lower() for state in State)  # by number


class SessionEvent(IntEnum):
    """What moves a session."""

    START_ACCEPTED = 0
    START_REFUSED = 1
    CHARGING_BEGAN = 2
    SAMPLE_TAKEN = 3
    CHARGING_ENDED = 4
    START_DEADLINE_PASSED = 5
    SILENCE_PASSED = 6
    RECORD_OVERDUE = 7
    RECORD_LOST = 8
    RECORD_RECEIVED = 9
    LINK_LOST = 10
    LINK_RESTORED = 11
    CHARGING_RESUMED = 12


_S, _E = State, SessionEvent

TRANSITIONS: tuple[tuple[State, SessionEvent, State, str], ...] = (
    (_S.OPENED, _E.START_ACCEPTED, _S.OPENED, "the pile agreed; the first charging sample is awaited"),
    (_S.OPENED, _E.LINK_LOST, _S.OPENED, "the order stands until its deadline"),
    (_S.OPENED, _E.LINK_RESTORED, _S.OPENED, "the order stands until its deadline"),
    (_S.OPENED, _E.START_REFUSED, _S.NOT_STARTED, "refused for good"),
    (_S.OPENED, _E.START_DEADLINE_PASSED, _S.NOT_STARTED, "no charging sample within 90 s"),
    (_S.OPENED, _E.CHARGING_BEGAN, _S.CHARGING, "first charging sample"),
    (_S.OPENED, _E.CHARGING_ENDED, _S.ENDED, "an end without a sample"),
    (_S.OPENED, _E.RECORD_RECEIVED, _S.BILLED, "a record without samples"),
    (_S.CHARGING, _E.SAMPLE_TAKEN, _S.CHARGING, "a further sample"),
    (_S.CHARGING, _E.START_ACCEPTED, _S.CHARGING, "the answer came behind the first sample"),
    (_S.CHARGING, _E.LINK_LOST, _S.CHARGING, "the pile charges on by itself"),
    (_S.CHARGING, _E.LINK_RESTORED, _S.CHARGING, "the pile is back"),
    (_S.CHARGING, _E.CHARGING_ENDED, _S.ENDED, "battery side, a sample that does not charge, or the next session"),
    (_S.CHARGING, _E.RECORD_LOST, _S.BILLED, "silent for 30 min: a substitute bill over what was seen"),
    (_S.CHARGING, _E.RECORD_RECEIVED, _S.BILLED, "the record is the end"),
    (_S.NOT_STARTED, _E.START_ACCEPTED, _S.OPENED, "plugged in late: a second, positive answer"),
    (_S.NOT_STARTED, _E.CHARGING_BEGAN, _S.CHARGING, "it charges after all"),
    (_S.NOT_STARTED, _E.START_REFUSED, _S.NOT_STARTED, "refused again"),
    (_S.NOT_STARTED, _E.LINK_LOST, _S.NOT_STARTED, "nothing hangs on the link"),
    (_S.NOT_STARTED, _E.LINK_RESTORED, _S.NOT_STARTED, "nothing hangs on the link"),
    (_S.NOT_STARTED, _E.RECORD_RECEIVED, _S.BILLED, "a record is owed for failed starts too"),
    (_S.NOT_STARTED, _E.RECORD_LOST, _S.BILLED, "none came within 30 s: nothing is owed"),
    (_S.ENDED, _E.CHARGING_BEGAN, _S.CHARGING, "it was no end: the same session charges on"),
    (_S.ENDED, _E.CHARGING_ENDED, _S.ENDED, "a second proof of the end"),
    (_S.ENDED, _E.START_ACCEPTED, _S.ENDED, "an answer that was long on its way"),
    (_S.ENDED, _E.LINK_LOST, _S.ENDED, "the record may come later"),
    (_S.ENDED, _E.LINK_RESTORED, _S.ENDED, "the record may come now"),
    (_S.ENDED, _E.RECORD_OVERDUE, _S.ENDED, "no record within 30 s"),
    (_S.ENDED, _E.RECORD_RECEIVED, _S.BILLED, "the usual way"),
    (_S.ENDED, _E.RECORD_LOST, _S.BILLED, "no record within 30 min: a substitute bill"),
    (_S.BILLED, _E.RECORD_RECEIVED, _S.BILLED, "re-sent, late or contradicting"),
    (_S.BILLED, _E.CHARGING_RESUMED, _S.CHARGING, "it charges on behind a bill that rests on no record"),
    (_S.BILLED, _E.SILENCE_PASSED, _S.BILLED, "silent for 12 h: the order is closed as stuck"),
    (_S.BILLED, _E.CHARGING_BEGAN, _S.BILLED, "evidence only"),
    (_S.BILLED, _E.SAMPLE_TAKEN, _S.BILLED, "evidence only"),
    (_S.BILLED, _E.CHARGING_ENDED, _S.BILLED, "evidence only"),
    (_S.BILLED, _E.START_ACCEPTED, _S.BILLED, "evidence only"),
    (_S.BILLED, _E.START_REFUSED, _S.BILLED, "evidence only"),
    (_S.BILLED, _E.LINK_LOST, _S.BILLED, "nothing hangs on the link"),
    (_S.BILLED, _E.LINK_RESTORED, _S.BILLED, "nothing hangs on the link"),
)


def as_table() -> str:
    """The table for people, one row a line."""
    rows = [(state.name, event.name, after.name, why) for state, event, after, why in TRANSITIONS]
    head = ("state", "event", "next", "why")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]])
        for row in [head, *rows]
    ]
    exits = {state for state, _, after, _ in TRANSITIONS if after is not state}
    final = ", ".join(state.name for state in State if state not in exits)
    return "\n".join([*lines, "", f"states without an exit: {final}"])


def as_mermaid() -> str:
    """The table as a Mermaid diagram; events that change nothing are left out."""
    lines = ["stateDiagram-v2", "    [*] --> OPENED"]
    for state in State:
        for after in State:
            events = [e.name for s, e, a, _ in TRANSITIONS if s is state and a is after and a is not state]
            lines += [f"    {state.name} --> {after.name}: {event}" for event in events]
    return "\n".join(lines)
