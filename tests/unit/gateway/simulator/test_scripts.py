"""Scripts drawn from a seed."""

import tomllib

import pytest

from gateway.simulator.scripts import card_uid, cast_fleet, pile_id, site_tables, vin


def test_names_have_their_widths():
    assert (len(pile_id(7)), len(card_uid(7)), len(vin(7))) == (14, 16, 17)


def test_equal_seeds_equal_casts():
    assert cast_fleet(5, seed=3, faults="mixed") == cast_fleet(5, seed=3, faults="mixed")
    assert cast_fleet(5, seed=3) != cast_fleet(5, seed=4)


def test_unknown_profile():
    with pytest.raises(KeyError):
        cast_fleet(1, seed=1, faults="no such")


def test_every_third_pile_is_ac():
    cast = cast_fleet(6, seed=1, sessions_per_connector=2)
    assert [one.plan.current for one in cast] == ["DC", "DC", "AC"] * 2
    assert [one.plan.connector_count for one in cast] == [2, 2, 1] * 2
    assert all(len(row) == 2 for one in cast for row in one.plan.visits)


def test_site_tables_are_toml_and_name_every_pile():
    tables = tomllib.loads(site_tables(3))
    assert [pile["id"] for pile in tables["pile"]] == [pile_id(n) for n in (1, 2, 3)]
    assert [len(pile["connector"]) for pile in tables["pile"]] == [2, 2, 1]
