import pytest

from billing_core.errors import TariffError
from billing_core.tariff import RATE_NAMES, Campaign, Rate, Tariff, TariffBook, pile_slots, rate_cuts
from gateway.site import zone_of
from tests.support.evidence import CHINA, HOUR, MIDNIGHT, PILE, PRICES, SLOTS, tariff

WHERE = {"pile_id": PILE, "station": "demo"}


def test_rates_stand_in_the_order_of_records():
    assert RATE_NAMES == ("sharp", "peak", "flat", "valley", "deep_valley")


@pytest.mark.parametrize(
    "slots",
    [
        SLOTS[1:],
        SLOTS[:-1],
        ((0, 480, Rate.FLAT), (481, 1440, Rate.FLAT)),
        ((0, 481, Rate.FLAT), (480, 1440, Rate.FLAT)),
        ((0, 1441, Rate.FLAT),),
        ((0, 1440, Rate.DEEP_VALLEY),),
    ],
)
def test_slots_cover_the_day_exactly_once_at_known_prices(slots):
    with pytest.raises(TariffError):
        tariff(slots=slots)


@pytest.mark.parametrize(
    ("slots", "code", "path"),
    [
        ((), "slots_missing", "tariff.slot"),
        (((0, 1440, Rate.FLAT), (480, 480, Rate.FLAT)), "slot_empty", "tariff.slot[1].to"),
        (((480, 1440, Rate.FLAT),), "slot_gap", "tariff.slot[0].from"),
        (((0, 481, Rate.FLAT), (480, 1440, Rate.FLAT)), "slot_overlap", "tariff.slot[1].from"),
    ],
)
def test_a_refusal_of_slots_says_which(slots, code, path):
    with pytest.raises(TariffError) as caught:
        tariff(slots=slots)
    assert (caught.value.code, caught.value.path) == (code, path)


def test_one_rate_may_hold_all_day():
    one = {Rate.FLAT: (67_000, 0)}
    assert tariff(prices_e5=one, slots=((0, 1440, Rate.FLAT),)).rate_at(0) is Rate.FLAT


@pytest.mark.parametrize(
    ("minute", "rate"),
    [
        (0, "valley"),
        (479, "valley"),
        (480, "flat"),
        (600, "peak"),
        (719, "peak"),
        (720, "flat"),
        (1140, "flat"),
        (1439, "flat"),
    ],
)
def test_a_slot_is_half_open(minute, rate):
    assert tariff().rate_at(minute * 60_000).name.lower() == rate
    assert tariff().rate_at(minute * 60_000 + 59_999).name.lower() == rate


def test_piles_know_48_half_hours():
    slots = pile_slots(tariff())
    assert len(slots) == 48
    assert (slots[15], slots[16], slots[19], slots[20], slots[47]) == (3, 2, 2, 1, 2)
    back = Tariff.from_pile("0001", 0, prices_e5=[PRICES[Rate(index)] for index in range(4)], slots=slots)
    assert [back.rate_at(m * 60_000) for m in range(0, 1440, 30)] == [
        tariff().rate_at(m * 60_000) for m in range(0, 1440, 30)
    ]


def test_a_border_off_the_half_hour_is_no_slot_of_a_pile():
    odd = tariff(slots=((0, 481, Rate.FLAT), (481, 1440, Rate.PEAK)))
    with pytest.raises(TariffError) as caught:
        pile_slots(odd)
    assert (caught.value.code, caught.value.path) == ("slot_off_half_hour", "slot[0]")
    assert "00:00 to 08:01" in caught.value.text


def test_cuts_lie_within_the_charge():
    ten = MIDNIGHT + 10 * HOUR
    assert rate_cuts(tariff(), CHINA, ten, ten + 2 * HOUR) == []
    assert rate_cuts(tariff(), CHINA, ten - 1, ten + 2 * HOUR + 1) == [ten, ten + 2 * HOUR]
    night = MIDNIGHT + 23 * HOUR
    assert rate_cuts(tariff(), CHINA, night, night + 10 * HOUR) == [night + HOUR, night + 9 * HOUR]


def test_where_the_clock_changes_the_wall_decides():
    berlin = zone_of("Europe/Berlin")
    change = 1_774_746_000_000  # 2026-03-29T01:00:00Z
    cuts = rate_cuts(tariff(), berlin, change - HOUR, change + 8 * HOUR)
    assert change in cuts
    assert change + 5 * HOUR in cuts, "08:00 of summer"


# -- which one is in force --------------------------------------------------------------------------------


def model_no(book, at_ms, **where):
    found = book.in_force(at_ms=at_ms, **{**WHERE, **where})
    return found and found.model_no


def test_the_closest_scope_then_the_newest_begin():
    book = TariffBook(
        (
            tariff(model_no="0001", valid_from_ms=0, scope=("*",)),
            tariff(model_no="0002", valid_from_ms=50, scope=("demo",)),
            tariff(model_no="0003", valid_from_ms=100, scope=("*",)),
            tariff(model_no="0004", valid_from_ms=200, scope=(PILE,)),
            tariff(model_no="0005", valid_from_ms=300, scope=(PILE, "demo")),
        ),
        (),
    )
    assert [model_no(book, at_ms) for at_ms in (-1, 0, 49, 50, 100, 199, 200, 299, 300)] == [
        None, "0001", "0001", "0002", "0002", "0002", "0004", "0004", "0005",
    ]  # fmt: skip
    assert model_no(book, 250, pile_id="other") == "0002"
    assert model_no(book, 250, pile_id="other", station="") == "0003"
    assert book.changes(from_ms=0, to_ms=200, **WHERE) == [50, 100]
    assert book.changes(from_ms=0, to_ms=201, **WHERE) == [50, 100, 200]


def test_two_tariffs_of_one_scope_begin_at_different_times():
    with pytest.raises(TariffError) as caught:
        TariffBook((tariff(), tariff(model_no="0002", scope=("demo", "*"))), ())
    assert (caught.value.code, caught.value.path) == ("tariff_twice", "tariff[1].valid_from")
    TariffBook((tariff(), tariff(model_no="0002", scope=("demo",))), ())


def test_campaigns_have_their_own_ids_and_reach():
    one, two = (Campaign(name, "service", 5_000, 0, 9, (scope,)) for name, scope in (("b", "*"), ("a", PILE)))
    assert [each.id for each in TariffBook((), (one, two)).campaigns_for(**WHERE)] == ["a", "b"]
    assert [each.id for each in TariffBook((), (one, two)).campaigns_for(pile_id="x", station="")] == ["b"]
    with pytest.raises(TariffError) as caught:
        TariffBook((), (one, one))
    assert (caught.value.code, caught.value.path) == ("campaign_twice", "campaign[1].id")


def test_what_is_equal_is_equal():
    campaign = Campaign("a", "service", 5_000, 0, 9, ("*",))
    assert tariff() == tariff()
    assert tariff() != tariff(model_no="0002")
    assert campaign == Campaign("a", "service", 5_000, 0, 9, ("*",))
    assert campaign != Campaign("a", "energy", 5_000, 0, 9, ("*",))
    assert len({tariff(), tariff()}) == len({campaign, Campaign("a", "service", 5_000, 0, 9, ("*",))}) == 1
    assert TariffBook((tariff(),), (campaign,)) == TariffBook((tariff(),), (campaign,))
    assert TariffBook((tariff(),), ()) != TariffBook((), ())
    assert len({TariffBook((tariff(),), ()), TariffBook((tariff(),), ())}) == 1
    assert "0001" in repr(tariff())
    assert repr(campaign) == "Campaign(a, service x 5000)"
    assert repr(TariffBook((tariff(),), (campaign,))) == "TariffBook(1 tariffs, 1 campaigns)"
