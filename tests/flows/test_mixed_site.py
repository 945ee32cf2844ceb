"""A site of two families of piles: every session has its bill, to the fen, and a replay of the day finds the same."""

import asyncio
import dataclasses

import pytest

from gateway.simulator.lines import MqttDialler, TcpLine
from gateway.simulator.plan import Gap
from gateway.simulator.scripts import cast_fleet
from tests.support.brokers import Mosquitto, needs_mosquitto
from tests.support.familyday import SEED, check_all, check_replay, expected_fen, live_through

FAULTS = ("none", "half-frames", "garbage", "cut-link", "duplicate-records")
HOLDS_BACK = ("half-frames",)  # what came late leaves less time for the energy that it tells: rightly doubted
COUNT = 10
SPEED = 20  # at sixty a tenth of a second of a busy machine is six seconds, and energy is rightly doubted


def cast_of(count):
    """Piles of both families, one fault after the other."""
    cast = []
    for number in range(1, count + 1):
        faults = FAULTS[number % len(FAULTS)]
        one = cast_fleet(
            number, seed=SEED, faults=faults, sessions_per_connector=2, charge_ms=(40_000, 90_000), protocol="mixed"
        )[-1]
        cast.append(dataclasses.replace(one, plan=dataclasses.replace(one.plan, reconnect_ms=1_000)))
    return cast


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return live_through(tmp_path_factory.mktemp("mixed"), cast_of(COUNT), "mixed", speed=SPEED)


def test_cards_that_started_without_the_link_are_billed_when_it_returns(tmp_path):
    gap = Gap(after_ms=20_000, for_ms=150_000)

    def offline(each):
        visit = dataclasses.replace(each.plan.visits[0][0], start="offline", wait_ms=10_000, charge_ms=60_000)
        plan = dataclasses.replace(each.plan, visits=((visit,),), link_losses=(gap,), reconnect_ms=1_000)
        return dataclasses.replace(each, plan=plan)

    cast = [offline(each) for each in cast_fleet(4, seed=SEED, protocol="mixed")]
    done = live_through(tmp_path, cast, "mixed", speed=SPEED)
    check_all(done)
    # late and without a sample, the time rests on the pile's clock alone: billed, and trued up downwards only
    for bill in done.bills.values():
        assert bill["status"] in ("normal", "provisional"), bill["document"]["anomalies"]
    for pile in done.piles:
        for story in pile.stories:
            assert done.bills[story.transaction_id]["energy_e4kwh"] == story.energy_e4kwh
    assert {bill["document"]["start_channel"] for bill in done.bills.values()} == {"offline_card"}
    check_replay(done)


def check_amounts(day, *, is_calm=True):
    """Bills to the fen; on a calm day all but those of piles whose frames come late are normal."""
    for number, pile in enumerate(day.piles, 1):
        for story in pile.stories:
            bill = day.bills[story.transaction_id]
            is_clean = is_calm and FAULTS[number % len(FAULTS)] not in HOLDS_BACK
            # a car that finds the link cut starts on its card: the time then rests on the pile's clock alone
            allowed = ("normal", "provisional") if story.channel == "offline" else ("normal",)
            codes = [each["code"] for each in bill["document"]["anomalies"]]
            assert bill["status"] in allowed or not is_clean, (pile.plan.protocol, story.transaction_id, codes)
            if bill["status"] == "normal":
                assert bill["energy_e4kwh"] == story.energy_e4kwh
                assert bill["amount_fen"] == expected_fen(pile, story)


def test_every_session_of_either_family_has_one_bill(day):
    assert len(day.bills) >= COUNT
    assert {pile.plan.protocol for pile in day.piles} == {"ykc", "aaf5-sh52", "aaf5-sh26"}
    check_all(day)


def test_sessions_are_billed_to_the_fen(day):
    check_amounts(day)


def test_a_replay_of_the_day_finds_the_same_bills(day):
    check_replay(day)


def test_a_daemon_that_is_killed_loses_no_record_of_either_family(tmp_path):
    async def killing(daemon):
        for _ in range(3):
            await asyncio.sleep(1)
            await asyncio.to_thread(daemon.kill)
            await asyncio.to_thread(daemon.start)

    # an acknowledgement has 2 s of the pile's time to arrive in: at this speed a tenth of a second
    done = live_through(tmp_path, cast_of(COUNT), "mixed", speed=SPEED, meanwhile=killing)
    check_all(done, is_killed=True)
    check_amounts(done, is_calm=False)


def test_two_cards_that_ask_at_once_are_told_apart_in_a_replay_too(tmp_path):
    count = 30  # of which every fourth speaks what has answers without transaction and connector

    def at_once(each):
        waits = (2_050, 2_000)  # the second connector is asked for first
        visits = tuple(
            (dataclasses.replace(row[0], start="card", wait_ms=wait_ms),)
            for row, wait_ms in zip(each.plan.visits, waits, strict=False)
        )
        return dataclasses.replace(each, plan=dataclasses.replace(each.plan, visits=visits))

    cast = [at_once(each) for each in cast_fleet(count, seed=SEED, protocol="mixed")]
    cast = [each for each in cast if each.plan.protocol == "aaf5-sh26"]
    done = live_through(tmp_path, cast, "mixed", speed=SPEED, count=count)
    assert len(done.bills) > len(cast)
    check_replay(done)
    done.daemon.close()


@needs_mosquitto
@pytest.mark.parametrize("count", [6, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(180)])])
def test_some_are_behind_a_broker_that_is_killed_on_the_way(tmp_path, count):
    broker = Mosquitto(tmp_path)
    broker.start()

    async def dial(daemon, pile_id):
        if pile_id.startswith("SIM") and int(pile_id[-2:]) % 4 == 1:
            return await MqttDialler("127.0.0.1", broker.port, protocol="aaf5")(pile_id)
        return TcpLine(*await asyncio.open_connection("127.0.0.1", daemon.port))

    async def killing(daemon):
        await asyncio.sleep(2)  # the middle of the day
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)

    try:
        done = live_through(
            tmp_path,
            cast_of(count),
            "mixed",
            speed=SPEED if count < 50 else 8,  # the 2 s that an answer may take are a quarter of a second here
            more=f'[[mqtt]]\nclient_id = "mixed"\nurl = "{broker.url}"\n',
            dial=dial,
            meanwhile=killing,
        )
    finally:
        broker.close()
    check_all(done)
    check_amounts(done, is_calm=False)
    check_replay(done)
