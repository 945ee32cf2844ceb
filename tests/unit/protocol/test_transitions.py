import itertools

import pytest

from protocol.errors import LocalProtocolError
from protocol.transitions import TRANSITIONS, LinkEvent, LinkState, after


@pytest.mark.parametrize(("state", "event", "expected", "source"), TRANSITIONS)
def test_a_link_moves_as_the_table_says(state, event, expected, source):
    assert after(state, event) is expected
    assert source


def test_the_table_holds_each_pair_once():
    pairs = [(state, event) for state, event, *_ in TRANSITIONS]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == set(itertools.product(LinkState, LinkEvent))


def test_what_the_table_lacks_changes_nothing():
    with pytest.raises(LocalProtocolError, match="a link in connected cannot take") as caught:
        after(LinkState.CONNECTED, LinkState.LOGGED_IN)
    assert caught.value.code == "illegal_transition"
