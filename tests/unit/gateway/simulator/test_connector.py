"""One connector on its own: what it says to orders in every phase."""

import pytest

from gateway.simulator.connector import BUSY, NO_TARIFF, NOT_PLUGGED, STOPPED_BY_APP, Connector, Phase
from gateway.simulator.plan import PilePlan, Visit
from gateway.simulator.rates import Rates

RATES = Rates("0100", ((70_000, 80_000),), (0,) * 48)
SERIAL = "1" * 32


class Host:
    """A pile that only listens."""

    def __init__(self, visit):
        self.plan = PilePlan("1" * 14, "DC", ((visit,),))
        self.rates = RATES
        self.civil_offset_ms = 1_772_000_000_000
        self.is_ready = True
        self.is_clock_right = True
        self.offline_cards = set()
        self.sent = []
        self.owed = []

    def send(self, kind, raw, sequence=None):
        self.sent.append((kind, raw, sequence))

    def new_serial(self, connector):
        return "2" * 32

    def owe(self, story, raw, at_ms):
        self.owed.append((story, raw))

    def on_parallel_ready(self, at_ms):
        raise AssertionError("nobody asked for more than one connector")

    def answers(self):
        return [(raw["ok"], raw["fail_reason"]) for kind, raw, _ in self.sent if kind == 0x33]


def made(**visit):
    usual = {"start": "app", "wait_ms": 1_000, "charge_ms": 60_000, "power_w": 60_000}
    host = Host(Visit(**(usual | visit)))
    one = Connector(host, 1, host.plan.visits[0], 5_000)
    one.on_ready(0)
    return host, one


def order(one, at_ms):
    one.on_start_order({"serial": SERIAL, "balance_yuan": 5_000}, 9, at_ms)


def test_a_plugged_car_starts_charges_and_leaves():
    host, one = made()
    one.on_timer(1_000)
    assert one.phase is Phase.PLUGGED
    order(one, 2_000)
    assert host.answers() == [(1, 0)]
    one.on_timer(7_000)
    assert one.phase is Phase.CHARGING
    one.on_timer(67_000)
    assert one.phase is Phase.DONE
    story, raw = host.owed[0]
    assert (raw["serial"], story.energy_e4kwh, story.channel) == (SERIAL, 10_000, "app")
    one.on_timer(72_000)
    assert one.is_finished


@pytest.mark.parametrize(("plug_ms", "starts"), [(61_000, True), (63_000, False)])
def test_a_plug_within_60_s_of_the_order_still_starts(plug_ms, starts):
    host, one = made(wait_ms=plug_ms)
    order(one, 2_000)
    assert host.answers() == [(0, NOT_PLUGGED)]
    one.on_timer(plug_ms)
    assert host.answers()[1:] == ([(1, 0)] if starts else [])


def test_it_refuses_what_it_cannot_do():
    host, one = made()
    one.on_timer(1_000)
    host.rates = None
    order(one, 1_500)
    assert host.answers() == [(0, NO_TARIFF)]
    host.rates = RATES
    order(one, 2_000)
    order(one, 3_000)
    assert host.answers()[1:] == [(1, 0), (0, BUSY)]


def test_a_stop_ends_the_charge_and_only_a_charge():
    host, one = made()
    one.on_timer(1_000)
    assert not one.on_stop_order(1_500)
    order(one, 2_000)
    one.on_timer(7_000)
    assert one.on_stop_order(37_000)
    story, raw = host.owed[0]
    assert (raw["stop_reason"], story.energy_e4kwh) == (STOPPED_BY_APP, 5_000)


def test_it_stops_when_the_balance_is_used_up():
    host, one = made(power_w=600_000)
    one.on_timer(1_000)
    one.on_start_order({"serial": SERIAL, "balance_yuan": 100}, 9, 2_000)
    for at_ms in range(7_000, 67_000, 1_000):
        one.on_timer(at_ms)
    assert host.owed[0][0].stop_code == 0x6E
    one.on_balance(1)
    assert one.charge is None


def test_a_car_that_nobody_starts_leaves():
    host, one = made(start="card", card_uid="A" * 16, patience_ms=50_000)
    for at_ms in range(1_000, 120_000, 1_000):
        one.on_timer(at_ms)
    assert one.refused == 1
    assert sum(kind == 0x31 for kind, _, _ in host.sent) == 4
