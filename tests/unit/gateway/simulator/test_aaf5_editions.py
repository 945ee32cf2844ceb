"""Bodies of the editions: as long as their texts say, and read back as what they are."""

import pytest

from gateway.simulator.aaf5_editions import EDITIONS, Body, empty
from gateway.simulator.connector import BALANCE_USED_UP
from protocol.dialects.aaf5_bodies import STATUS
from protocol.dialects.aaf5_codes import stop_kind
from protocol.dialects.aaf5_wire import read_frame

AROUND = 9
SIZES = {  # body sizes: login, status, record, answer to a start
    "sh16": (96, 167, 256, 41),
    "sh26": (96, 169, 288, 41),
    "sh40": (100, 191, 292, 73),
    "sh52": (133, 231, 391, 73),
    "op30": (96, 206, 384, 73),
    "lv34": (100, 199, 396, 73),
    "sl": (96, 223, 384, 41),
}


@pytest.mark.parametrize("profile", EDITIONS)
def test_bodies_have_the_sizes_of_their_version(profile):
    edition = EDITIONS[profile]
    bodies = (edition.login, edition.status, edition.record, edition.start)
    assert tuple(len(body.frame({})) - AROUND for body in bodies) == SIZES[profile]


@pytest.mark.parametrize("profile", EDITIONS)
def test_what_it_sends_is_read_in_its_profile(profile):
    edition = EDITIONS[profile]
    for body in (edition.login, edition.beat, edition.status, edition.record, edition.start, edition.control):
        wire = read_frame(body.frame({"pile_id": b"P1"}, 7), "up", profile)
        assert (wire.type, wire.sequence, wire.error, wire.layout) == (body.command, 7, None, body.layout)
    for optional in (edition.card, edition.vin, edition.bms, edition.history, edition.pull):
        if optional is not None:
            assert read_frame(optional.frame({}), "up", profile).layout is optional.layout


@pytest.mark.parametrize("profile", EDITIONS)
def test_a_balance_that_ends_is_known_as_that(profile):
    wanted = "other" if profile == "lv34" else "balance"  # it has one code for every condition that was set
    assert stop_kind(EDITIONS[profile].stop_of(BALANCE_USED_UP), profile) == wanted


def test_an_edition_has_numbers_of_its_own_for_how_a_session_began():
    assert [EDITIONS[each].mode_of("offline") for each in ("sh52", "op30", "lv34")] == [0, 4, 0]
    assert [EDITIONS["op30"].mode_of(channel) for channel in ("card", "app", "vin")] == [0, 1, 3]


def test_nothing_stands_behind_the_last_field():
    body = Body(104, STATUS, "var_c")
    assert len(body.frame({"temp_gun": 70, "soc": 5})) - AROUND == 169


def test_empty_values_fill_a_body_up_to_a_field():
    assert STATUS.size > len(STATUS.write(empty(STATUS, upto="var_c"))) == 169
