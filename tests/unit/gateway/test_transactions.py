import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.site import zone_of
from gateway.transactions import TransactionNumbers

AT_MS = 1_772_509_216_074  # 2026-03-03T11:40:16.074+08:00
PILE = "55031412782305"


def numbers(taken=()):
    return TransactionNumbers(zone_of("Asia/Shanghai"), set(taken).__contains__)


def test_a_number_says_pile_connector_and_local_time():
    assert numbers().next(PILE, 1, AT_MS) == "55031412782305" + "01" + "260303114016" + "0001"


def test_numbers_of_one_moment_count_up():
    made = numbers()
    assert [made.next(PILE, 1, AT_MS)[-4:] for _ in range(3)] == ["0001", "0002", "0003"]
    assert made.next(PILE, 2, AT_MS).endswith("0001")
    assert made.next(PILE, 1, AT_MS + 1_000).endswith("0001")


def test_a_number_of_a_former_run_is_not_given_again():
    first = numbers().next(PILE, 1, AT_MS)
    assert numbers([first]).next(PILE, 1, AT_MS).endswith("0002")


def test_a_second_holds_9999_starts():
    with pytest.raises(OverflowError, match="9,999"):
        TransactionNumbers(zone_of("Asia/Shanghai"), lambda _: True).next(PILE, 1, AT_MS)


@given(st.lists(st.tuples(st.sampled_from([PILE, "7"]), st.integers(1, 2), st.integers(0, 3_000)), max_size=60))
def test_no_number_is_given_twice(asked):
    taken = set()
    made = TransactionNumbers(zone_of("Asia/Shanghai"), taken.__contains__)
    for pile_id, connector, later_ms in asked:
        number = made.next(pile_id, connector, AT_MS + later_ms)
        assert len(number) == 32
        assert number not in taken
        taken.add(number)
