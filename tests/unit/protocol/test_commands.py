import dataclasses
import typing

import pytest

from protocol import commands as c

KINDS = typing.get_args(c.PileCommand)


def test_every_command_belongs_to_the_union():
    declared = {
        kind
        for kind in vars(c).values()
        if isinstance(kind, type) and issubclass(kind, c.Command) and kind is not c.Command
    }
    assert declared == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_says_to_whom_and_what_it_answers(kind):
    assert [field.name for field in dataclasses.fields(kind)][:2] == ["pile_id", "reply_ref"]


def test_commands_cannot_be_changed():
    command = c.StopCharging("44030512003301", None, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        command.connector = 2


def test_a_tariff_has_no_loss_unless_told():
    assert c.PileTariff("0100", ((1, 2),) * 4, (0,) * 48).loss_ratio_percent == 0


def test_a_tariff_by_half_hours_is_what_its_prices_come_to():
    fine = c.PileTariff("0100", ((31_299, 45_999), (70_000, 0), (9, 9)), (0,) * 40 + (1,) * 8)
    assert fine.by_slot(1_000) == ((31_000, 45_000),) * 40 + ((70_000, 0),) * 8
    assert fine.by_slot(1)[0] == (31_299, 45_999)
