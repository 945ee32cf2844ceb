"""A lane does what the long way would have done, and refuses what the long way must see."""

import pytest

from billing_core.session import ChargingSession, unpack_states
from billing_core.timers import Timers
from gateway.lanes import Lane, Presence, Traffic
from protocol.link import Link
from tests.support.wire import bcd, frame, heartbeat, sample

PILE = "55031412782305"
SERIAL = "55031412782305012603031140160001"


class Place:
    """A lane on a link, and the charge that it feeds."""

    def __init__(self):
        self.presence = Presence(PILE, 30_000)
        self.presence.is_online = True
        self.traffic = Traffic()
        self.lane = Lane(self.presence, self.traffic)
        self.link = Link()
        self.core = ChargingSession(SERIAL, PILE, 1, 0, Timers())

    def remember(self, data):
        for index, fact in enumerate(self.link.receive(data, 0)):
            self.link.remember(index, fact, self.lane)

    def charge(self, energy_most_e4kwh=None):
        self.remember(sample(SERIAL, PILE, energy=10))
        self.core.take_sample(0, 10, 0, 4000, 1500, 50, True)
        self.core.take_unkept()
        self.lane.follow(self.core, True, energy_most_e4kwh)

    def takes(self, data, at_ms=9):
        return self.link.receive(data, at_ms) == []


@pytest.fixture
def place():
    return Place()


def test_a_sample_is_fed_noted_and_heard(place):
    place.charge()
    assert place.takes(sample(SERIAL, PILE, energy=20, amount=7, volts=3800, amps=900, soc=61))
    assert place.core.rows()[-1] == (9, 20, 7, 3800, 900, 61, True, True)
    assert (place.core.energy_e4kwh, place.core.shown_amount_e4yuan, place.core.last_sample_at_ms) == (20, 7, 9)
    lane = place.lane
    assert (lane.sampled_ms, lane.voltage_dv, lane.current_da, lane.soc_percent) == (9, 3800, 900, 61)
    assert place.presence.heard_ms == 9
    assert place.traffic.samples == place.traffic.frames == 1


def test_what_was_fed_is_told_once(place):
    place.charge()
    for at_ms in (1, 2):
        assert place.takes(sample(SERIAL, PILE, energy=20 + at_ms), at_ms)
    assert place.traffic.take_fed() == [place.core]
    assert place.traffic.take_fed() == []
    assert [row[:2] for row in unpack_states(place.core.take_unkept()[2])] == [(1, 21), (2, 22)]
    assert place.core.take_unkept() is None
    assert place.takes(sample(SERIAL, PILE, energy=30), 3)
    assert place.traffic.unkept == 1
    assert place.traffic.take_fed(0) == []
    assert place.traffic.take_fed(1) == [place.core]
    assert place.traffic.unkept == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda place: place.lane.rest(),
        lambda place: place.lane.look_again(),
        lambda place: place.core.end(0, True, 5),
        lambda place: place.core.take_rest(5, 10, 0, 0, 0, 50, True),
        lambda place: place.core.log_in(5),
        lambda place: setattr(place.presence, "is_online", False),
    ],
    ids=["rest", "session", "end", "state of rest", "login", "offline"],
)
def test_a_charge_that_changed_is_seen(place, change):
    place.charge()
    change(place)
    assert not place.takes(sample(SERIAL, PILE, energy=20))
    assert place.traffic.samples == 0


def test_energy_that_somebody_watches_is_seen(place):
    place.charge(energy_most_e4kwh=20)
    assert place.takes(sample(SERIAL, PILE, energy=20))
    assert not place.takes(sample(SERIAL, PILE, energy=21))


def test_heartbeats_are_taken_once_they_are_known_to_change_nothing(place):
    place.remember(heartbeat(PILE))
    assert not place.takes(heartbeat(PILE))
    place.lane.take_beats()
    assert place.takes(heartbeat(PILE), 12)
    assert (place.traffic.beats, place.presence.heard_ms) == (1, 12)
    place.lane.look_again()
    assert place.takes(heartbeat(PILE), 13), "a session is no matter of heartbeats"
    place.lane.rest()
    assert not place.takes(heartbeat(PILE))


def test_idle_states_are_taken_until_something_concerns_the_connector(place):
    idle = sample("0" * 32, PILE, state=2, plugged=0)
    place.remember(idle)
    assert not place.takes(idle)
    place.lane.idle()
    assert place.takes(idle, 12)
    assert (place.traffic.samples, place.lane.sampled_ms, place.lane.session) == (1, 12, None)
    assert place.traffic.take_fed() == []
    place.lane.look_again()
    assert not place.takes(idle)


def test_battery_reports_prove_only_that_the_pile_is_there(place):
    report = frame(0x23, bcd(SERIAL) + bcd(PILE) + b"\1" + bytes(20))
    place.remember(report)
    assert place.takes(report, 12)
    assert (place.traffic.reports, place.presence.heard_ms) == (1, 12)
    place.presence.is_online = False
    assert not place.takes(report)
