"""Repeats take what says the same again, and nothing else; whatever they leave goes the long way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.events import BmsReported, FrameRefused, HeartbeatReceived, SampleReceived
from protocol.link import Link
from protocol.repeats import BEAT, KEPT_MAX, REPORT, SAMPLE, SENT, Noted, Repeats, Taker
from tests.support.wire import bcd, bms_end, frame, heartbeat, sample

PILE = "55031412782305"
SERIAL = "55031412782305012603031140160001"
ROLES = (BEAT, SAMPLE, REPORT, SENT)


def repeated(first: bytes, *, roles=ROLES) -> tuple[Link, Noted]:
    """A link that remembers what it heard first."""
    link, taker = Link(), Noted(roles)
    for index, fact in enumerate(link.receive(first, 1)):
        link.remember(index, fact, taker)
    return link, taker


def resequenced(data: bytes, sequence: int, **how) -> bytes:
    return frame(data[5], data[6:-2], sequence=sequence, **how)


def test_a_sample_with_new_measurements_is_taken_with_its_values():
    link, taker = repeated(sample(SERIAL, PILE, energy=100))
    again = sample(SERIAL, PILE, energy=250, amount=77, volts=3900, amps=1400, soc=51, minutes=9)
    assert link.receive(resequenced(again, 513), 7) == []
    assert taker.taken == [(SAMPLE, 7, (250, 77, 3900, 1400, 51))]
    assert link.repeats.taken == 1


@pytest.mark.parametrize(
    "other",
    [
        {"gun": 2},
        {"state": 2},
        {"plugged": 0},
        {"faults": 1},
        {"serial": SERIAL[:-1] + "2"},
        {"pile": PILE[:-1] + "6"},
    ],
    ids=str,
)
def test_a_sample_that_says_something_new_becomes_an_event(other):
    link, taker = repeated(sample(SERIAL, PILE, energy=100))
    said = {"serial": SERIAL, "pile": PILE, "energy": 250} | other
    facts = link.receive(sample(said.pop("serial"), said.pop("pile"), **said), 7)
    assert [type(fact) for fact in facts] == [SampleReceived]
    assert taker.taken == []


@pytest.mark.parametrize("energy", [100, 101])
def test_a_wrong_checksum_is_refused_as_ever(energy):
    link, taker = repeated(sample(SERIAL, PILE, energy=100))
    bad = bytearray(sample(SERIAL, PILE, energy=energy))
    bad[-1] ^= 1
    facts = link.receive(bytes(bad), 7)
    assert [fact.code for fact in facts] == ["checksum"]
    assert taker.taken == []


def test_both_byte_orders_of_the_checksum_are_taken():
    link, taker = repeated(sample(SERIAL, PILE))
    assert link.receive(resequenced(sample(SERIAL, PILE, energy=1), 0, is_high_first=True), 7) == []
    assert len(taker.taken) == 1


@pytest.mark.parametrize("is_high_first", [False, True])
def test_a_heartbeat_is_answered_with_its_own_sequence(is_high_first):
    beat = resequenced(heartbeat(PILE), 0x1234, is_high_first=is_high_first)
    link, _ = repeated(beat)
    assert link.receive(resequenced(heartbeat(PILE), 0xBEEF), 5) == []
    assert link.receive(resequenced(heartbeat(PILE), 7), 6) == []
    wanted = [frame(0x04, bcd(PILE) + b"\1\0", sequence=number, is_high_first=is_high_first) for number in (0xBEEF, 7)]
    assert link.repeats.take_answers() == b"".join(wanted)
    assert link.repeats.take_answers() == b""


def test_reports_of_the_battery_may_differ_in_all_but_their_session():
    body = bcd(SERIAL) + bcd(PILE) + b"\1"
    link, taker = repeated(frame(0x23, body + bytes(20)))
    assert link.receive(frame(0x23, body + bytes(range(20))), 9) == []
    assert taker.taken == [(REPORT, 9, ())]
    other = frame(0x23, body[:-1] + b"\2" + bytes(20))
    assert [type(fact) for fact in link.receive(other, 9)] == [BmsReported]


def test_a_taker_that_refuses_sends_the_frame_the_long_way():
    for taker in (Noted([BEAT]), Taker()):
        link = Link()
        (fact,) = link.receive(sample(SERIAL, PILE, energy=1), 1)
        link.remember(0, fact, taker)
        (again,) = link.receive(sample(SERIAL, PILE, energy=2), 2)
        assert again.energy_e4kwh == 2


def test_nothing_overtakes_a_frame_that_goes_the_long_way():
    link, taker = repeated(sample(SERIAL, PILE) + heartbeat(PILE))
    facts = link.receive(sample(SERIAL, PILE, energy=1) + bms_end(SERIAL, PILE) + heartbeat(PILE), 3)
    assert [type(fact).__name__ for fact in facts] == ["BmsEnded", "HeartbeatReceived"]
    assert [role for role, _, _ in taker.taken] == [SAMPLE]
    assert link.repeats.answers == b""


def test_a_pile_with_two_decimals_has_its_values_scaled():
    link, taker = Link(), Noted(ROLES)
    login = frame(0x01, bcd(PILE) + bytes([0, 1, 0x0D]) + b"V1.0.0\0\0" + bytes(12))
    link.receive(login, 1)
    (fact,) = link.receive(sample(SERIAL, PILE, energy=3), 1)
    link.remember(0, fact, taker)
    link.receive(sample(SERIAL, PILE, energy=5, amount=2, volts=1, amps=2, soc=3), 2)
    assert taker.taken == [(SAMPLE, 2, (500, 200, 1, 2, 3))]


def test_a_newer_state_takes_the_place_of_the_older():
    link, taker = repeated(heartbeat(PILE))
    for index, fact in enumerate(link.receive(heartbeat(PILE, status=1), 2)):
        link.remember(index, fact, taker)
    assert len(link.repeats) == 1
    assert link.receive(heartbeat(PILE, status=1), 3) == []
    assert [fact.is_faulted for fact in link.receive(heartbeat(PILE), 4)] == [False]


def test_a_link_remembers_few_frames_and_forgets_on_demand():
    link = Link()
    for number in range(KEPT_MAX + 5):
        (fact,) = link.receive(heartbeat(f"{number:014d}"), 1)
        link.remember(0, fact, Noted([BEAT]))
    assert len(link.repeats) == KEPT_MAX
    assert link.receive(heartbeat("0" * 14), 2) == []
    link.repeats.forget()
    assert len(link.receive(heartbeat("0" * 14), 2)) == 1


def test_what_a_gateway_sent_may_repeat_too():
    link, taker = Link(), Noted(ROLES)
    answer = frame(0x04, bcd(PILE) + b"\1\0")
    assert len(link.observe_sent(answer, 1)) == 1
    link.remember_sent(0, taker)
    assert link.observe_sent(resequenced(answer, 99), 2) == []
    assert taker.taken == [(SENT, 2, ())]


def test_other_frames_are_not_remembered():
    link, _ = repeated(bms_end(SERIAL, PILE))
    assert link.repeats is None
    assert len(link.receive(bms_end(SERIAL, PILE), 2)) == 1


def test_repeats_alone_take_nothing():
    assert Repeats().take_answers() == b""


STREAM = [
    heartbeat(PILE),
    heartbeat(PILE, status=1),
    sample(SERIAL, PILE, energy=1),
    sample(SERIAL, PILE, energy=2),
    sample(SERIAL, PILE, state=2),
    bms_end(SERIAL, PILE),
    b"\x68\x05noise",
    b"\r\n",
]


@given(st.lists(st.sampled_from(STREAM), max_size=20), st.lists(st.integers(1, 90), max_size=12))
def test_however_a_stream_is_cut_nothing_is_lost_or_doubled(frames, sizes):
    """Taken repeats and facts together are what a link without a memory tells, in number and by kind."""
    stream = b"".join(frames)
    plain = [type(fact) for fact in Link().receive(stream, 1) if not isinstance(fact, FrameRefused)]
    link, taker = Link(), Noted(ROLES)
    told, at = [], 0
    for size in [*sizes, len(stream)]:
        facts = link.receive(stream[at : at + size], 1)
        told += [type(fact) for fact in facts if not isinstance(fact, FrameRefused)]
        for index, fact in enumerate(facts):
            if not isinstance(fact, FrameRefused):
                link.remember(index, fact, taker)
        at += size
    names = {BEAT: HeartbeatReceived, SAMPLE: SampleReceived}
    everything = told + [names[role] for role, _, _ in taker.taken]
    assert sorted(map(str, everything)) == sorted(map(str, plain))
