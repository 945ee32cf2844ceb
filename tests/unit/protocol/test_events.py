import dataclasses
import typing

import pytest

from protocol import events as e

KINDS = typing.get_args(e.PileEvent)


def test_every_event_belongs_to_the_union():
    declared = {
        kind
        for kind in vars(e).values()
        if isinstance(kind, type) and issubclass(kind, e.Event) and kind is not e.Event
    }
    assert declared == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_says_who_when_and_what_to_answer(kind):
    assert [field.name for field in dataclasses.fields(kind)][:3] == ["at_ms", "pile_id", "reply_ref"]


def test_events_cannot_be_changed():
    event = e.HeartbeatReceived(1, "44030512003301", 0, 1, False)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.connector = 2


def test_a_record_is_told_without_its_bytes():
    body = next(field for field in dataclasses.fields(e.RecordReceived) if field.name == "body")
    assert body.repr is False


@pytest.mark.parametrize("kind", [*KINDS, e.RecordTier, e.PileTime])
def test_no_field_is_a_float(kind):
    assert not [name for name, hint in typing.get_type_hints(kind).items() if hint is float]
