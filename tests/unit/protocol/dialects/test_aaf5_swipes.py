"""Which connector a card is for, when no frame says it."""

import pytest

from protocol.dialects.aaf5_swipes import Swipe, Swipes

AT_MS = 1_772_509_216_000
IDLE, STARTING, CHARGING, FINISHED, RESERVED = 0, 1, 2, 3, 5


def seen(*states):
    swipes = Swipes()
    for connector, state in enumerate(states, 1):
        swipes.saw(connector, state, is_plugged=True)
    return swipes


@pytest.mark.parametrize(
    ("states", "connector"),
    [
        ((), 1),
        ((CHARGING, IDLE), 2),
        ((FINISHED, IDLE), 2),
        ((STARTING, RESERVED), 2),
        ((IDLE, IDLE), 1),
        ((FINISHED, STARTING), 1),
        ((CHARGING, CHARGING), 1),
    ],
)
def test_a_card_is_for_where_a_car_waits(states, connector):
    assert seen(*states).connector_for("A") == connector


def test_an_empty_connector_waits_for_nobody():
    swipes = seen(IDLE, IDLE)
    swipes.saw(1, IDLE, is_plugged=False)
    assert swipes.connector_for("A") == 2


def test_another_card_is_for_where_nothing_was_allowed_yet():
    swipes = seen(IDLE, IDLE)
    swipes.allow(1, "A")
    assert swipes.connector_for("B") == 2
    assert swipes.connector_for("A") == 1, "asked again: its answer was lost"
    swipes.saw(1, CHARGING, is_plugged=True)
    assert swipes.connector_for("A") == 2, "the same card at another car"


def test_where_all_were_allowed_the_first_is_as_good_as_any():
    swipes = seen(IDLE, IDLE)
    swipes.allow(1, "A")
    swipes.allow(2, "B")
    assert swipes.connector_for("C") == 1


def test_an_answer_belongs_to_the_question_whose_sequence_it_repeats():
    swipes = Swipes()
    first, second = Swipe(7, 1, "A", AT_MS), Swipe(8, 2, "B", AT_MS + 5)
    swipes.asked(first)
    swipes.asked(second)
    assert swipes.answered(7, AT_MS + 10) == first
    assert swipes.answered(9, AT_MS + 10) == second, "the newest, of one that counts by itself"
    assert swipes.answered(9, AT_MS + 10).connector == 2, "the newest, when nobody waits"


def test_questions_that_nobody_answered_are_not_waited_with():
    swipes = Swipes()
    swipes.asked(Swipe(0, 1, "A", AT_MS))
    again = Swipe(0, 1, "A", AT_MS + 3_000)
    swipes.asked(again)
    other = Swipe(0, 2, "B", AT_MS + 40_000)
    swipes.asked(other)
    assert swipes.answered(0, AT_MS + 40_100) == other
    assert swipes.answered(0, AT_MS + 20_000) == again


def test_an_answer_that_names_its_connector_is_for_no_other():
    swipes = Swipes()
    swipes.asked(Swipe(0, 1, "A", AT_MS))
    assert swipes.answered(0, AT_MS, 2) == Swipe(0, 2, "", AT_MS)
    assert swipes.answered(0, AT_MS, 1).card == "A"
