"""Cursors, instants, amounts and pages."""

import pytest

from gateway.api import shapes
from gateway.api.problems import Problem
from gateway.site import Site

ZONE = Site().zone


@pytest.mark.parametrize(("at_ms", "key"), [(0, ""), (1_772_509_200_000, "55031412782305"), (-1, "é")])
def test_a_cursor_comes_back(at_ms, key):
    assert shapes.read_cursor(shapes.cursor_of(at_ms, key)) == (at_ms, key)


@pytest.mark.parametrize("text", ["", "x", "W10", "bnVsbA", "WzEsMl0", "eyJhIjoxfQ", "é", "W1sxXSwiYSJd"])
def test_other_cursors_are_refused(text):
    with pytest.raises(Problem) as caught:
        shapes.read_cursor(text)
    assert (caught.value.status, caught.value.code) == (400, "cursor_invalid")


def test_instants_go_out_with_the_sites_offset_and_come_in_with_any():
    assert shapes.at(1_772_509_200_000, ZONE) == "2026-03-03T11:40:00.000+08:00"
    assert shapes.at(None, ZONE) is None
    assert shapes.read_instant("2026-03-03T03:40:00Z", "since") == 1_772_509_200_000
    assert shapes.read_instant("2026-03-03T11:40:00 08:00", "since") == 1_772_509_200_000, "a plus in a query"
    assert shapes.read_instant(None, "since") is None


@pytest.mark.parametrize(("text", "fen"), [("0", 0), ("1.5", 150), ("12.34", 1_234)])
def test_amounts(text, fen):
    assert shapes.read_fen(text, "balance") == fen


@pytest.mark.parametrize("text", ["", "1.234", "x", "1e3", "٣"])
def test_other_amounts_are_refused(text):
    with pytest.raises(Problem) as caught:
        shapes.read_fen(text, "balance")
    assert caught.value.code == "amount_invalid"


def test_pages_of_a_list_that_is_held():
    rows = [{"k": key} for key in ("c", "a", "e", "b", "d")]
    first = shapes.keyed_page(rows, "k", 2, None, dict)
    second = shapes.keyed_page(rows, "k", 2, first["next_cursor"], dict)
    third = shapes.keyed_page(rows, "k", 2, second["next_cursor"], dict)
    assert [[row["k"] for row in page["items"]] for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert third["next_cursor"] is None
    listed = shapes.listed_page(rows, 3, None)
    rest = shapes.listed_page(rows, 3, listed["next_cursor"])
    assert ([row["k"] for row in rest["items"]], rest["next_cursor"]) == (["b", "d"], None)
