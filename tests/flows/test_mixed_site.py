"""A site of two families of piles: every session has its bill, to the fen, and a replay of the day finds the same."""

import asyncio
import dataclasses
import json

import pytest

from gateway.billschema import fault_of
from gateway.simulator.aaf5 import Aaf5Pile
from gateway.simulator.fleet import Fleet
from gateway.simulator.lines import MqttDialler, TcpLine
from gateway.simulator.plan import Gap
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.flows.conftest import SPEED
from tests.support.brokers import Mosquitto, needs_mosquitto
from tests.support.commandline import pilegate
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import write_config

SEED = 20261124
PRICES = {"flat": (70_000, 80_000), "peak": (110_000, 80_000), "valley": (30_000, 80_000)}
FAULTS = ("none", "half-frames", "garbage", "cut-link", "duplicate-records")
HOLDS_BACK = ("half-frames",)  # what came late leaves less time for the energy that it tells: rightly doubted
COUNT = 10


def rate_of(slot: int) -> str:
    return "valley" if slot < 16 else "peak" if 20 <= slot < 24 else "flat"


def reckoned_fen(booked: dict[int, int]) -> int:
    """Rule B-1 over energies by half hour, reckoned here."""
    energies: dict[str, int] = {}
    for slot, energy_e4kwh in booked.items():
        energies[rate_of(slot)] = energies.get(rate_of(slot), 0) + energy_e4kwh
    total_e4yuan = sum(
        (energy * price_e5 + 50_000) // 100_000 for rate, energy in energies.items() for price_e5 in PRICES[rate]
    )
    return (total_e4yuan + 50) // 100


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


@dataclasses.dataclass
class Day:
    """What became of one day: the piles, their newest bills, the daemon that made them."""

    piles: list
    bills: dict
    daemon: Daemon


def live_through(directory, count, *, speed=SPEED, broker=None, is_cut=False, cast=None, kills=0):
    """One day of a mixed site; with a broker every other AA F5 pile is behind it, and it may be killed on the way."""
    clock = FastClock(START_MS, speed)
    more = "[limits]\nidle_timeout_ms = 36000000\n[session]\nrecord_lost_ms = 600000\n"
    if broker is not None:
        more += f'[[mqtt]]\nclient_id = "mixed"\nurl = "{broker.url}"\n'
    daemon = Daemon(write_config(directory, count, more=more, protocol="mixed"), clock)
    numbers = range(1, count + 1)
    list_accounts(directory, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])

    async def live():
        await asyncio.to_thread(daemon.start)

        async def dial(pile_id):
            if broker is not None and pile_id.startswith("SIM") and int(pile_id[-2:]) % 4 == 1:
                return await MqttDialler("127.0.0.1", broker.port, protocol="aaf5")(pile_id)
            return TcpLine(*await asyncio.open_connection("127.0.0.1", daemon.port))

        fleet = Fleet(cast or cast_of(count), seed=SEED, now_ms=clock.now_ms, speed=speed, dial=dial)
        async with asyncio.timeout(110):
            running = asyncio.create_task(fleet.run())
            if is_cut:
                await asyncio.sleep(2)  # the middle of the day
                await asyncio.to_thread(broker.kill)
                await asyncio.to_thread(broker.start)
            for _ in range(kills):
                await asyncio.sleep(1)
                await asyncio.to_thread(daemon.kill)
                await asyncio.to_thread(daemon.start)
            await running
        return fleet.piles

    piles = asyncio.run(live())
    assert daemon.stop() == 0
    return Day(piles, daemon.bills(), daemon)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    done = live_through(tmp_path_factory.mktemp("mixed"), COUNT)
    yield done
    done.daemon.close()


def test_cards_that_started_without_the_link_are_billed_when_it_returns(tmp_path):
    gap = Gap(after_ms=20_000, for_ms=150_000)

    def offline(each):
        visit = dataclasses.replace(each.plan.visits[0][0], start="offline", wait_ms=10_000, charge_ms=60_000)
        plan = dataclasses.replace(each.plan, visits=((visit,),), link_losses=(gap,), reconnect_ms=1_000)
        return dataclasses.replace(each, plan=plan)

    cast = [offline(each) for each in cast_fleet(4, seed=SEED, protocol="mixed")]
    done = live_through(tmp_path, 4, cast=cast)
    check_all(done)
    # late and without a sample, the time rests on the pile's clock alone: billed, and trued up downwards only
    for bill in done.bills.values():
        assert bill["status"] in ("normal", "provisional"), bill["document"]["anomalies"]
    for pile in done.piles:
        for story in pile.stories:
            assert done.bills[story.transaction_id]["energy_e4kwh"] == story.energy_e4kwh
    assert {bill["document"]["start_channel"] for bill in done.bills.values()} == {"offline_card"}
    check_replay(done)
    done.daemon.close()


def check_all(day, *, is_killed=False):
    """Every session of either family has one bill that holds, and no acknowledgement cost a record."""
    stories = {story.transaction_id for pile in day.piles for story in pile.stories}
    assert stories <= set(day.bills)
    unheard = [day.bills[key] for key in set(day.bills) - stories]  # allowed, and killed before the pile heard of it
    assert is_killed or not unheard
    assert {(bill["status"], bill["amount_fen"]) for bill in unheard} <= {("void", 0)}
    assert {pile.plan.protocol for pile in day.piles} == {"ykc", "aaf5-sh52", "aaf5-sh26"}
    for bill in day.bills.values():
        assert fault_of(bill["document"]) is None
    for pile in day.piles:
        if isinstance(pile, Aaf5Pile):
            assert (pile.queue.destroyed, len(pile.queue)) == (0, 0)


def check_amounts(day, *, is_calm=True):
    """Bills to the fen; on a calm day all but those of piles whose frames come late are normal."""
    for number, pile in enumerate(day.piles, 1):
        for story in pile.stories:
            bill = day.bills[story.transaction_id]
            is_clean = is_calm and FAULTS[number % len(FAULTS)] not in HOLDS_BACK
            assert bill["status"] == "normal" or not is_clean, (
                pile.plan.protocol,
                story,
                bill["document"]["anomalies"],
            )
            if bill["status"] == "normal":
                booked = pile.booked.get(story.transaction_id) if isinstance(pile, Aaf5Pile) else None
                assert bill["energy_e4kwh"] == story.energy_e4kwh
                assert bill["amount_fen"] == (story.expected_fen if booked is None else reckoned_fen(booked))


def check_replay(day):
    """The capture replays to the bills that were made live."""
    logs = sorted(str(path) for path in (day.daemon.directory / "capture").glob("*.pcap"))
    done = pilegate("replay", *logs, "--site", str(day.daemon.config), "--json")
    replayed = {bill["transaction_id"]: bill for bill in map(json.loads, done.out.splitlines())}
    assert replayed == {key: bill["document"] for key, bill in day.bills.items()}


def test_every_session_of_either_family_has_one_bill(day):
    assert len(day.bills) >= COUNT
    check_all(day)


def test_sessions_are_billed_to_the_fen(day):
    check_amounts(day)


def test_a_replay_of_the_day_finds_the_same_bills(day):
    check_replay(day)


def test_a_daemon_that_is_killed_loses_no_record_of_either_family(tmp_path):
    # an acknowledgement has 2 s of the pile's time to arrive in: at this speed a tenth of a second
    done = live_through(tmp_path, COUNT, speed=20, kills=3)
    check_all(done, is_killed=True)
    check_amounts(done, is_calm=False)
    done.daemon.close()


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
    done = live_through(tmp_path, count, cast=cast)
    assert len(done.bills) > len(cast)
    check_replay(done)
    done.daemon.close()


@needs_mosquitto
@pytest.mark.parametrize("count", [6, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(180)])])
def test_some_are_behind_a_broker_that_is_killed_on_the_way(tmp_path, count):
    broker = Mosquitto(tmp_path)
    broker.start()
    try:
        done = live_through(tmp_path, count, speed=SPEED if count < 50 else 20, broker=broker, is_cut=True)
        check_all(done)
        check_amounts(done, is_calm=False)
        check_replay(done)
        done.daemon.close()
    finally:
        broker.close()
