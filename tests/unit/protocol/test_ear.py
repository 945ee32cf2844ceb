"""What a link hears without a detour, and what always takes it."""

from types import SimpleNamespace

import pytest

from protocol.dialects import aaf5, aaf5_bodies
from protocol.dialects.aaf5_wire import enclose
from protocol.dialects.ykc import facts_of
from protocol.ear import ASKED_MAX, LESSONS_MAX, SPEAKERS_MAX, Asked, Ear
from protocol.events import FrameRefused, HeartbeatReceived
from protocol.framer import cut_of
from protocol.link import Link
from tests.support.wire import frame, heartbeat, login, sample, tariff_check

PILE, OTHER = "44030512003301", "44030512003302"
SERIAL = "44030512003301012603031140160007"


def ear_of(*known):
    ear = Ear(facts_of())
    for data in known:
        ear.know(data, facts_of().read(data, 5))
    return ear


def heard(ear, *frames, reason=""):
    """What comes of frames: the type of the fact, or "asked" where the link was."""
    told = ear.hear([cut_of(data, 0, reason) for data in frames], 7, lambda cut, at_ms: "asked")
    return [each if each == "asked" else type(each).__name__ for each in told]


def test_a_speaker_is_asked_about_once():
    ear = ear_of(heartbeat(PILE, 1))
    assert heard(ear, heartbeat(PILE, 1), sample(SERIAL, PILE, gun=1)) == ["HeartbeatReceived", "SampleReceived"]


@pytest.mark.parametrize("data", [heartbeat(PILE, 2), heartbeat(OTHER, 1), tariff_check(OTHER, "0100")])
def test_another_connector_or_pile_is_asked_about(data):
    assert heard(ear_of(heartbeat(PILE, 1)), data) == ["asked"]


def test_a_pile_that_spoke_for_a_connector_may_speak_for_itself_but_not_the_other_way_round():
    assert heard(ear_of(heartbeat(PILE, 1)), tariff_check(PILE, "0100")) == ["TariffChecked"]
    assert heard(ear_of(tariff_check(PILE, "0100")), heartbeat(PILE, 1)) == ["asked"]


@pytest.mark.parametrize(
    "data",
    [
        login(PILE),
        frame(0x03, heartbeat(PILE)[6:-2], enc=1),
        frame(0x03, heartbeat(PILE)[6:-3]),
        frame(0x04, heartbeat(PILE)[6:-2]),
        frame(0xEE, bytes(20)),
        b"\x68\x04\x00\x00",
        b"",
    ],
    ids=["login", "encrypted", "short", "of a gateway", "unknown", "torn", "nothing"],
)
def test_some_frames_are_always_asked_about(data):
    ear = ear_of(heartbeat(PILE, 1))
    ear.know(data, facts_of().read(data, 5))
    assert heard(ear, data) == ["asked"]


def test_what_a_framer_refused_is_asked_about():
    assert heard(ear_of(heartbeat(PILE, 1)), heartbeat(PILE, 1), reason="checksum") == ["asked"]


def test_an_ear_without_tables_asks_about_all():
    ear = Ear()
    ear.know(heartbeat(PILE, 1), PILE)
    assert heard(ear, heartbeat(PILE, 1)) == ["asked"]


def test_only_so_many_speakers_are_known():
    ear = ear_of(*(heartbeat(PILE, gun) for gun in range(1, SPEAKERS_MAX + 2)))
    assert heard(ear, heartbeat(PILE, SPEAKERS_MAX), heartbeat(PILE, SPEAKERS_MAX + 1)) == [
        "HeartbeatReceived",
        "asked",
    ]


def test_facts_and_questions_stay_in_order():
    ear = ear_of(heartbeat(PILE, 1))
    frames = [heartbeat(OTHER), heartbeat(PILE, 1), login(PILE), heartbeat(PILE, 1)]
    assert heard(ear, *frames) == ["asked", "HeartbeatReceived", "asked", "HeartbeatReceived"]


def test_a_number_that_stays_is_one_object():
    ear = ear_of(heartbeat(PILE, 1))
    cuts = [cut_of(sample(number, PILE), 0, "") for number in (SERIAL, SERIAL, SERIAL[:-1] + "8", SERIAL)]
    first, again, other, back = ear.hear(cuts, 1, None.__class__)
    assert first.transaction_id is again.transaction_id
    assert first.pile_id is other.pile_id
    assert (other.transaction_id, back.transaction_id) == (SERIAL[:-1] + "8", SERIAL)


def test_the_scale_holds_for_what_is_heard_from_then_on():
    ear = ear_of(heartbeat(PILE, 1))
    ear.scale = 100
    [fact] = ear.hear([cut_of(sample(SERIAL, PILE, energy=12), 0, "")], 1, None.__class__)
    assert fact.energy_e4kwh == 1200


# -- frames that may teach more than who speaks ----------------------------------------------------------

STATUS = aaf5_bodies.STATUS


def status(sequence=0, info=0x10, size=None, **values):
    raw = {**STATUS.read(bytes(STATUS.size)), "pile_id": b"F5A1", "gun": 1, "state": 2, "connection": 1, **values}
    return enclose(104, STATUS.write(raw)[:size], sequence=sequence, info=info)


def taught(*frames):
    facts, link = aaf5.facts_of("sh52"), SimpleNamespace(started={})
    ear = Ear(facts, Asked())
    for data in frames:
        ear.know(data, facts.read(data, 5, 1, 1, "", link))
    return ear


def test_a_frame_that_teaches_nothing_is_told_with_what_the_former_one_told():
    one = status(serial=b"X1")
    ear = taught(one)
    again, other = ear.hear([cut_of(one, 0, ""), cut_of(status(serial=b"X1", energy=7), 0, "")], 9, None.__class__)
    assert again == aaf5.facts_of("sh52").read(one, 9, 1, 1, "", SimpleNamespace(started={}))
    assert (again.reply_ref, other.reply_ref, other.at_ms, other.energy_e4kwh) == (1, 2, 9, 700)
    assert again.transaction_id is other.transaction_id == "X1"


@pytest.mark.parametrize(
    "other",
    [
        status(serial=b"X2"),
        status(gun=2),
        status(state=1),
        status(connection=0),
        status(card_no=b"12345678"),
        status(start_time="2026030312000000"),
        status(pile_id=b"F5A2"),
        status(rsv1=1),
        status(info=0x00),
        status(info=0x90),
        status(size=178),
        status(size=168),
        enclose(102, bytes(38)),
    ],
)
def test_a_frame_that_may_teach_something_is_asked_about(other):
    assert heard(taught(status()), status(), other, status()) == ["SampleReceived", "asked", "SampleReceived"]


def test_a_lesson_takes_the_place_of_the_connectors_former_one():
    ear = taught(status(), status(gun=2), status(state=3))
    told = ["asked", "SampleReceived", "SampleReceived"]
    assert heard(ear, status(), status(gun=2), status(state=3)) == told
    ear.forget()
    assert heard(ear, status(gun=2), status(state=3)) == ["asked", "asked"]


def test_only_so_many_lessons_are_kept():
    ear = taught(*(status(gun=gun) for gun in range(1, LESSONS_MAX + 2)))
    assert heard(ear, status(gun=1), status(gun=2), status(gun=LESSONS_MAX + 1)) == [
        "asked",
        "SampleReceived",
        "SampleReceived",
    ]


def test_the_newest_frames_can_be_asked_for_and_taken_once():
    asked = Asked()
    assert [asked.note(b"%d" % number, number) for number in range(1, ASKED_MAX + 2)][-1] == asked.newest == 33
    assert [asked.look(number) for number in (-1, 0, 1, 2, 33, 34)] == [None, None, None, (b"2", 2), (b"33", 33), None]
    assert (asked.take(33), asked.take(33), asked.look(33)) == ((b"33", 33), None, None)


# -- on a link ------------------------------------------------------------------------------------------


def test_nobody_is_known_whom_the_link_refuses():
    link = Link(only_pile=PILE)
    for _ in range(2):
        [refused] = link.receive(heartbeat(OTHER), 1)
        assert isinstance(refused, FrameRefused)
        assert refused.code == "other_pile"
    [fact] = link.receive(heartbeat(PILE), 1)
    assert isinstance(fact, HeartbeatReceived)


def test_options_learnt_later_hold_for_known_speakers():
    link = Link()
    assert [fact.fault_bits for fact in link.receive(sample(SERIAL, PILE, faults=2) * 2, 1)] == [2, 2]
    link.options = frozenset({"fault-bit1-at-2"})
    assert [fact.fault_bits for fact in link.receive(sample(SERIAL, PILE, faults=2) * 2, 1)] == [1, 1]


def test_a_login_in_the_middle_changes_what_follows():
    link = Link()
    stream = sample(SERIAL, PILE, energy=5) * 2 + login(PILE, version=13) + sample(SERIAL, PILE, energy=5) * 2
    assert [getattr(fact, "energy_e4kwh", None) for fact in link.receive(stream, 1)] == [5, 5, None, 500, 500]
