"""Who may log in, who is there, which tariff each holds, and what changed on a connector."""

import pytest

from billing_core.session import ChargingSession
from billing_core.tariff import Rate, Tariff
from billing_core.timers import Timers
from gateway.outcome import PileClockChecked, PileSeen, PileTariffKnown, UnknownPileSeen
from gateway.piles import Piles, carried
from protocol.commands import (
    AnswerHeartbeat,
    AnswerLogin,
    AnswerTariffCheck,
    PileTariff,
    SendTariff,
    SetTariff,
)
from protocol.events import (
    ConnectorStatus,
    HeartbeatReceived,
    OrderAnswered,
    ParkingLockReported,
    PileLoggedIn,
    TariffChecked,
    TariffRequested,
)
from tests.support.yard import BEGIN, DAY_MS, HOUR, PILE, SECOND, SITE, resting, sample, site_of

SILENCE_MS = 30_000
T0 = DAY_MS + BEGIN
PRICES = {Rate.FLAT: (70_000, 50_000)}


def piles(site=SITE, *, accepts_unknown=False):
    return Piles(site_of(site), silence_ms_max=SILENCE_MS, accepts_unknown=accepts_unknown)


def login(pile=PILE, at_ms=T0, protocol="ykc-1.6"):
    return PileLoggedIn(at_ms, pile, 9, protocol, "DC", 2, "V4.1.50", 0, "0" * 20, 4)


def heartbeat(at_ms=T0, connector=1, *, is_faulted=False):
    return HeartbeatReceived(at_ms, PILE, 9, connector, is_faulted)


def types(rows):
    return [row.type for row in rows]


# -- login and presence -------------------------------------------------------------------------------


def test_a_listed_pile_is_taken_and_told_the_time_of_the_site():
    yard = piles()
    outcome = yard.on_login(login(), "10.0.0.5:1")
    assert outcome.replies == [AnswerLogin(PILE, 9, True, T0 + 8 * HOUR)]
    seen, online = outcome.lazy_rows
    assert seen == PileSeen(PILE, T0, "ykc-1.6", "V4.1.50", 2, "DC")
    assert (online.type, online.event_id, online.partition) == (
        "pilegate.pile.online",
        f"pile-online-{PILE}-{T0}",
        f"pile:{PILE}",
    )
    assert online.is_perishable
    state = yard.state(PILE)
    assert (state.is_online, state.logged_in_at_ms, state.connector_count, state.current) == (True, T0, 2, "DC")


def test_an_unknown_pile_is_refused_and_listed_for_adoption():
    yard = piles()
    outcome = yard.on_login(login("other"), "10.0.0.5:1")
    assert outcome.replies == [AnswerLogin("other", 9, False)]
    assert outcome.rows == [UnknownPileSeen("other", T0, "10.0.0.5:1", "ykc-1.6", "V4.1.50", 2)]
    assert (yard.states, yard.is_listed("other"), yard.is_listed(PILE)) == ({}, False, True)


def test_a_replay_takes_every_pile_and_remembers_which_were_unlisted():
    yard = piles(accepts_unknown=True)
    assert yard.on_login(login("other"), "").replies[0].is_accepted
    assert yard.unlisted == {"other"}


def test_a_pile_is_offline_after_its_silence_once_and_online_with_its_next_frame():
    yard = piles()
    yard.on_login(login(), "")
    assert yard.state(PILE).presence.timer_at_ms == T0 + SILENCE_MS
    assert yard.on_timer(PILE, T0 + SILENCE_MS - 1).lazy_rows == []
    (offline,) = yard.on_timer(PILE, T0 + 10 * SILENCE_MS).lazy_rows
    assert (offline.type, offline.at_ms) == ("pilegate.pile.offline", T0 + SILENCE_MS)
    assert yard.on_timer(PILE, T0 + 10 * SILENCE_MS).lazy_rows == []
    assert yard.on_link_lost(PILE, T0 + 11 * SILENCE_MS).lazy_rows == []
    assert types(yard.heard(PILE, T0 + HOUR).lazy_rows) == ["pilegate.pile.online"]
    assert yard.heard(PILE, T0 + HOUR + 1).lazy_rows == []
    assert yard.state(PILE).heard_at_ms == T0 + HOUR + 1


def test_a_lost_link_is_a_lost_pile_at_once():
    yard = piles()
    yard.on_login(login(), "")
    (offline,) = yard.on_link_lost(PILE, T0 + 5).lazy_rows
    assert (offline.type, offline.at_ms) == ("pilegate.pile.offline", T0 + 5)
    assert offline.data == {"pile_id": PILE, "protocol": "ykc-1.6", "firmware_version": "V4.1.50"}
    assert yard.state(PILE).presence.timer_at_ms is None


def test_a_protocol_whose_heartbeats_pause_waits_longer():
    yard = piles()
    yard.on_login(login(protocol="aaf5-sh52"), "")
    assert yard.state(PILE).presence.timer_at_ms == T0 + 90_000


def test_nothing_was_heard_or_sampled_before_the_first_frame():
    state = piles().state(PILE)
    assert (state.heard_at_ms, state.connector(1).sampled_at_ms, state.is_online) == (None, None, False)
    assert state.connector(1) is state.connector(1)


# -- tariffs ------------------------------------------------------------------------------------------


WANTED = PileTariff("0100", ((0, 0), (0, 0), (70_000, 50_000), (0, 0)), (2,) * 48)


def checked(model_no):
    return TariffChecked(T0, PILE, 9, model_no)


def test_a_tariff_check_is_answered_and_what_the_pile_holds_is_known():
    yard = piles()
    for model_no, is_same in (("0100", True), ("0099", False)):
        outcome = yard.on_tariff_check(checked(model_no))
        assert outcome.replies == [AnswerTariffCheck(PILE, 9, model_no, is_same)]
        assert outcome.lazy_rows == [PileTariffKnown(PILE, T0, model_no)]


def test_the_same_model_with_other_prices_is_another_tariff():
    yard = piles()
    old = PileTariff("0100", ((1, 1),) * 4, (0,) * 48)
    yard.on_tariff_sent(SendTariff(PILE, 9, old), T0)
    assert not yard.on_tariff_check(checked("0100")).replies[0].is_same
    assert yard.is_stale(PILE, T0)
    assert yard.on_tariff_sent(SetTariff(PILE, None, WANTED), T0).lazy_rows == [PileTariffKnown(PILE, T0, "0100")]
    assert yard.on_tariff_check(checked("0100")).replies[0].is_same
    assert not yard.is_stale(PILE, T0)


def test_a_pile_gets_the_tariff_in_force_or_no_answer():
    request = TariffRequested(T0, PILE, 9)
    assert piles().on_tariff_request(request).replies == [SendTariff(PILE, 9, WANTED)]
    outcome = piles('[site]\nname = "bare"\n').on_tariff_request(request)
    assert (outcome.replies, types(outcome.notices)) == ([], ["pilegate.tariff.missing"])


@pytest.mark.parametrize(("protocol", "is_stale"), [("ykc-1.6", False), ("aaf5-sh52", True)])
def test_what_a_pile_holds_is_unknown_until_it_asks_or_is_told(protocol, is_stale):
    yard = piles()
    yard.on_login(login(protocol=protocol), "")
    assert yard.is_stale(PILE, T0) is is_stale
    assert not piles('[site]\nname = "bare"\n').is_stale(PILE, T0)


def tariff(slots, prices=PRICES):
    return Tariff("0100", 0, ("*",), prices, slots)


def test_a_pile_carries_half_hours_only():
    assert carried(tariff(((0, 1440, Rate.FLAT),)), has_five_rates=False) == WANTED
    quarter = {**PRICES, Rate.PEAK: (110_000, 50_000)}
    assert carried(tariff(((0, 15, Rate.PEAK), (15, 1440, Rate.FLAT)), quarter), has_five_rates=False) is None


def test_five_rates_need_a_pile_that_knows_five():
    deep = tariff(((0, 720, Rate.FLAT), (720, 1440, Rate.DEEP_VALLEY)), {**PRICES, Rate.DEEP_VALLEY: (10_000, 50_000)})
    assert carried(deep, has_five_rates=False) is None
    assert carried(deep, has_five_rates=True).prices_e5[4] == (10_000, 50_000)


@pytest.mark.parametrize(
    ("options", "protocol", "count"), [("[]", "ykc-1.6", 4), ('["five-rate"]', "ykc-1.6", 5), ("[]", "aaf5-sh52", 5)]
)
def test_who_knows_five_is_listed_or_follows_from_the_protocol(options, protocol, count):
    yard = piles(SITE.replace("register_decimals = 4", f"options = {options}"))
    yard.on_login(login(protocol=protocol), "")
    assert len(yard.tariff_for(PILE, T0).prices_e5) == count


# -- live state ---------------------------------------------------------------------------------------


def test_a_heartbeat_is_answered_and_a_fault_told_when_it_comes_and_when_it_goes():
    yard = piles()
    assert yard.on_heartbeat(heartbeat()).replies == [AnswerHeartbeat(PILE, 9, 1)]
    assert yard.on_heartbeat(heartbeat()).lazy_rows == []
    (came,) = yard.on_heartbeat(heartbeat(T0 + 1, is_faulted=True)).lazy_rows
    assert (came.type, came.event_id) == ("pilegate.connector.fault", f"connector-fault-{PILE}-1-{T0 + 1}")
    assert came.data == {"pile_id": PILE, "connector": 1, "is_faulted": True, "fault_bits": 0}
    assert yard.on_heartbeat(heartbeat(T0 + 2, is_faulted=True)).lazy_rows == []
    (went,) = yard.on_heartbeat(heartbeat(T0 + 3)).lazy_rows
    assert went.data["is_faulted"] is False


def test_a_heartbeat_of_the_whole_pile_names_no_connector():
    yard = piles()
    assert yard.on_heartbeat(heartbeat(connector=None, is_faulted=True)).replies == [AnswerHeartbeat(PILE, 9, None)]
    assert yard.state(PILE).connectors == {}


def test_a_sample_tells_a_change_of_state_once_and_keeps_the_newest_values():
    yard = piles()
    first = yard.on_sample(sample(BEGIN, 0))
    assert [notice.data for notice in first.notices] == [{"connector": 1, "status": "charging", "is_plugged": True}]
    assert yard.on_sample(sample(BEGIN + SECOND, 1)).notices == []
    assert types(yard.on_sample(resting(BEGIN + 2 * SECOND)).notices) == ["pilegate.connector.changed"]
    assert types(yard.on_sample(resting(BEGIN + 3 * SECOND, plugged=False)).notices) == ["pilegate.connector.changed"]
    state = yard.state(PILE).connector(1)
    assert (state.status, state.is_plugged, state.transaction_id) == ("idle", False, None)
    assert (state.sampled_at_ms, state.lane.soc_percent) == (T0 + 3_000, 0)


def test_other_fault_bits_are_another_fault():
    yard = piles()
    told = [
        yard.on_sample(sample(BEGIN + n, 0, status=ConnectorStatus.FAULTED, fault_bits=bits)).lazy_rows
        for n, bits in enumerate((2, 2, 6))
    ]
    assert [[row.data["fault_bits"] for row in rows] for rows in told] == [[2], [], [6]]


def test_a_parking_lock_is_kept_and_told():
    yard = piles()
    outcome = yard.on_parking_lock(ParkingLockReported(T0, PILE, 0, 2, "raised", True, 80, "forced"))
    (notice,) = outcome.notices
    assert (notice.type, yard.state(PILE).connector(2).lock) == ("pilegate.lock.changed", "raised")
    assert notice.data == {
        "connector": 2,
        "lock": "raised",
        "is_occupied": True,
        "battery_percent": 80,
        "alarm": "forced",
    }


@pytest.mark.parametrize("event", [OrderAnswered(T0, PILE, 0, "SyncTime", None, True, 0, {}), login()])
def test_how_far_a_clock_is_off(event):
    yard = piles()
    assert yard.on_clock_checked(event, T0 - 700).lazy_rows == [PileClockChecked(PILE, T0, -700)]
    assert (yard.state(PILE).clock_offset_ms, yard.state(PILE).clock_checked_at_ms) == (-700, T0)


def test_after_a_reload_every_rule_sees_the_next_frame_of_every_kind():
    yard = piles()
    lane = yard.state(PILE).connector(1).lane
    lane.follow(ChargingSession("t", PILE, 1, T0, Timers()), True)
    yard.rest()
    assert lane.session is None
