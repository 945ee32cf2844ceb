"""One link of the AA F5 family: profiles, and acknowledgements that must never cost a record."""

import json

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.dialects.aaf5_talk import LATE_MS
from protocol.dialects.aaf5_wire import read_frame, text_of, write_frame
from protocol.link import Link
from tests.support.frames import FOLDER

AT_MS = 1_772_509_216_074
FIXTURES = {
    fixture["name"]: bytes.fromhex(fixture["frame_hex"])
    for path in sorted((FOLDER / "aaf5").glob("*.jsonl"))
    for fixture in map(json.loads, path.read_text(encoding="utf-8").splitlines())
}


def changed(name, direction="up", **values):
    """A fixture with other values in it."""
    wire = read_frame(FIXTURES[name], direction)
    return write_frame(wire.type, {**wire.raw, **values}, wire.layout, sequence=wire.sequence)


def logged_in(version=26, **options):
    link = Link(**options)
    base = "login-sh52" if version > 44 else "login-lv34" if version == 34 else "login-sh26"
    # the fixture's reserved block is not zero, which is a mark of another profile
    [login] = link.receive(changed(base, pile_id=b"F5A1", proto_version=version, rsv_a="00" * 24, enc_support=0), AT_MS)
    assert isinstance(login, e.PileLoggedIn)
    link.send(c.AnswerLogin("F5A1", login.reply_ref, True))
    return link


def record(link, name="record-v26", at_ms=AT_MS, **values):
    [fact] = link.receive(changed(name, pile_id=b"F5A1", **values), at_ms)
    assert isinstance(fact, e.RecordReceived), fact
    return fact


def acknowledge(link, fact, at_ms=AT_MS):
    return link.send(c.AcknowledgeRecord("F5A1", fact.reply_ref, fact.serial, True), at_ms)


# -- profiles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "profile"),
    [(16, "sh16"), (20, "sh16"), (25, "sh26"), (28, "sh26"), (30, "sh40"), (43, "sh40"), (45, "sh52"), (52, "sh52")],
)
def test_the_version_word_suggests_a_profile(version, profile):
    assert logged_in(version).protocol == f"aaf5-{profile}"


def test_version_30_with_a_display_version_is_the_operators_edition():
    link = Link()
    shown = (b"V1.0.2".ljust(24, b"\0")).hex().upper()
    [login] = link.receive(changed("login-sh26", pile_id=b"F5A1", proto_version=30, rsv_a=shown), AT_MS)
    assert (login.protocol, link.protocol) == ("aaf5-op30", "aaf5-op30")


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("status-lv34", "lv34"),
        ("record-lv34", "lv34"),
        ("tariff-pull", "op30"),
        ("status-sl", "sl"),
        ("vin-query", "sh52"),
    ],
)
def test_a_frame_that_only_one_profile_has_proves_it_once(name, profile):
    link = logged_in(30)
    link.receive(FIXTURES[name], AT_MS)
    assert link.protocol == f"aaf5-{profile}"
    link.receive(FIXTURES["vin-query" if profile != "sh52" else "status-lv34"], AT_MS)
    assert link.protocol == f"aaf5-{profile}"


def test_the_configured_profile_holds_whatever_the_frames_suggest():
    link = Link(protocol="aaf5-op30")
    link.receive(changed("login-sh26", pile_id=b"F5A1", proto_version=52), AT_MS)
    link.receive(FIXTURES["vin-query"], AT_MS)
    assert link.protocol == "aaf5-op30"


def test_what_is_uncertain_is_said_once():
    link = logged_in(34)
    told = link.take_notes()
    assert told[0] == "profile lv34: version 34"
    assert "lv34-start" in told[1]
    assert link.take_notes() == []


def test_offered_encryption_is_not_taken_and_said():
    link = Link()
    [login] = link.receive(changed("login-sh52", pile_id=b"F5A1", proto_version=52, enc_support=1), AT_MS)
    answer = read_frame(link.send(c.AnswerLogin("F5A1", login.reply_ref, True, 0)), "down", "sh52")
    assert answer.raw["encrypt"] == 0
    assert any("encryption" in note for note in link.take_notes())


def test_a_pile_whose_id_cannot_be_printed_is_refused():
    [refused] = Link().receive(changed("login-sh26", pile_id=b"\x01\x02"), AT_MS)
    assert isinstance(refused, e.FrameRefused)
    assert "cannot be printed" in refused.detail


# -- acknowledgements -------------------------------------------------------------------------------------


def test_a_record_is_acknowledged_once():
    link = logged_in()
    fact = record(link)
    assert read_frame(acknowledge(link, fact), "down", "sh26").type == 201
    assert acknowledge(link, fact) == b""


def test_a_record_that_the_way_doubled_is_acknowledged_once():
    for order in ((0, 1), (1, 0)):
        link = logged_in()
        copies = [record(link), record(link, at_ms=AT_MS + 50)]
        assert sum(bool(acknowledge(link, copies[index], AT_MS + 60)) for index in order) == 1
        again = record(link, at_ms=AT_MS + 10_000)
        assert acknowledge(link, again, AT_MS + 10_050), "its answer was lost: the pile says it again"


def test_what_was_never_received_is_never_acknowledged():
    link = logged_in()
    assert link.send(c.AcknowledgeRecord("F5A1", None, "X", True), AT_MS) == b""
    assert link.send(c.AcknowledgeRecord("F5A1", 99, "X", True), AT_MS) == b""


def test_a_late_acknowledgement_stays_unsaid_and_the_repeat_is_answered():
    link = logged_in()
    first = record(link)
    assert acknowledge(link, first, AT_MS + LATE_MS + 1) == b""
    again = record(link, at_ms=AT_MS + 10_000)
    assert acknowledge(link, again, AT_MS + 10_000 + LATE_MS)


@pytest.mark.parametrize("gun", [1, 2])
def test_a_newer_record_at_the_head_of_the_queue_silences_the_older_ones_answer(gun):
    link = logged_in()
    older = record(link, gun=1, card_no=b"older")
    newer = record(link, gun=gun, card_no=b"newer", start_time="2026030311401600")
    assert acknowledge(link, older) == b"", "the pile would drop the newer one, which nobody has yet"
    said = read_frame(acknowledge(link, newer), "down", "sh26")
    assert text_of(said.raw["card_no"]) == "newer"


def test_what_was_read_back_is_never_acknowledged():
    link = logged_in(43)
    [found] = link.receive(changed("history-found", pile_id=b"F5A1"), AT_MS)
    assert isinstance(found, e.RecordReceived)
    assert acknowledge(link, found) == b""


def test_a_record_that_is_not_there_is_an_answer_and_no_record():
    link = logged_in(43)
    [fact] = link.receive(changed("history-found", pile_id=b"F5A1", record_index=-1), AT_MS)
    assert (fact.order, fact.is_accepted) == ("AskRecord", False)


def test_a_log_with_an_acknowledgement_of_nothing_is_told():
    link = logged_in()
    [refused] = link.observe_sent(FIXTURES["record-answer"], AT_MS)
    assert isinstance(refused, e.FrameRefused)
    assert "acknowledges no record" in refused.detail


@pytest.mark.parametrize(
    ("version", "name", "answer", "layout"),
    [
        (16, "record-sh16", 201, "record_answer"),
        (52, "record-milli", 221, "record_answer"),
        (34, "record-lv34", 201, "record_answer_lv34"),
    ],
)
def test_every_profile_has_its_own_acknowledgement(version, name, answer, layout):
    link = logged_in(version)
    fact = record(link, name)
    said = read_frame(acknowledge(link, fact), "down", link.protocol.partition("-")[2])
    assert (said.type, said.layout.name) == (answer, layout)
    assert said.error is None


def test_counters_that_changed_do_not_make_another_record_of_it():
    link = logged_in()
    one = record(link, record_total=10, current_record_no=10)
    two = record(link, record_total=3, current_record_no=3)
    other = record(link, energy=1)
    assert one.identity == two.identity != other.identity
    assert one.body != two.body


# -- answers ----------------------------------------------------------------------------------------------


def test_a_heartbeat_gets_its_own_counter_and_sequence_back():
    link = logged_in()
    frame = changed("heartbeat-sh26", pile_id=b"F5A1", counter=513)
    [fact] = link.receive(frame, AT_MS)
    said = read_frame(link.send(c.AnswerHeartbeat("F5A1", fact.reply_ref, None)), "down", "sh26")
    assert (said.type, said.raw["counter"], said.sequence) == (101, 513, frame[5])


def test_a_status_is_answered_on_the_number_that_the_pile_uses():
    link = logged_in()
    [fact] = link.receive(changed("status-f26", pile_id=b"F5A1", gun=0, gun_count=1), AT_MS)
    assert (fact.connector, fact.wants_answer) == (1, True)
    said = read_frame(link.send(c.AnswerReport("F5A1", fact.reply_ref, 1)), "down", "sh26")
    assert (said.type, said.raw["gun"]) == (103, 0)


def test_a_start_before_v46_travels_as_the_card():
    link = logged_in()
    number = "A" * 13 + "01" + "260303114016" + "0001"
    said = read_frame(
        link.send(c.StartCharging("F5A1", None, number, 1, "0" * 16, "00000000CA", 5_000)), "down", "sh26"
    )
    assert text_of(said.raw["card_no"]) == text_of(said.raw["serial"]) == number
    assert (said.raw["strategy"], said.raw["strategy_param"]) == (2, 5_000)
    back = changed("status-f26", pile_id=b"F5A1", gun=1, state=2, card_no=number.encode())
    [sample] = link.receive(back, AT_MS)
    assert (sample.transaction_id, sample.card_uid) == (number, None)


def test_a_firmware_that_repeats_one_word_is_followed_by_it():
    link = logged_in()
    [order] = link.observe_sent(changed("start-v25", direction="down", rsv1=1023, card_no=b"1023", gun=1), AT_MS)
    status = changed("status-f26", pile_id=b"F5A1", gun=1, state=2, rsv1=1023, card_no=b"1023")
    [sample] = link.receive(status, AT_MS)
    fact = record(link, gun=1, rsv1=1023, card_no=b"1023", serial=b"")
    assert order.transaction_id == sample.transaction_id == fact.serial


def test_a_card_without_a_connector_is_for_the_one_where_a_car_waits():
    link = logged_in()
    link.receive(changed("status-f26", pile_id=b"F5A1", gun=2, gun_count=2, state=0, connection=2), AT_MS)
    [asked] = link.receive(changed("card-query-v26", pile_id=b"", card_no=b"0003456789"), AT_MS)
    assert (asked.pile_id, asked.connector, asked.card_uid) == ("F5A1", 2, "0000000003456789")


def _asks(link, *connectors, sequences=(0, 0)):
    for connector, sequence in zip(connectors, sequences, strict=True):
        for gun in (1, 2):
            connection = 2 if gun == connector else 0
            status = changed("status-f26", pile_id=b"F5A1", gun=gun, gun_count=2, state=0, connection=connection)
            link.receive(status, AT_MS)
        wire = read_frame(FIXTURES["card-query-v26"], "up")
        query = write_frame(wire.type, {**wire.raw, "pile_id": b"F5A1"}, wire.layout, sequence=sequence)
        [asked] = link.receive(query, AT_MS)
        assert asked.connector == connector


def _answered(link, sequence=0):
    wire = read_frame(FIXTURES["card-answer-v26"], "down")
    [order] = link.observe_sent(write_frame(wire.type, wire.raw, wire.layout, sequence=sequence), AT_MS)
    assert isinstance(order, c.AuthoriseStart)
    return order.connector


def test_answers_that_a_log_holds_are_for_the_requests_in_their_order():
    link = logged_in()
    _asks(link, 2, 1)
    assert [_answered(link), _answered(link), _answered(link)] == [2, 1, 1]


def test_an_answer_that_a_log_holds_is_for_the_request_of_its_sequence():
    link = logged_in()
    _asks(link, 2, 1, sequences=(8, 9))
    assert [_answered(link, 9), _answered(link, 8)] == [1, 2]
    _asks(link, 1, 2, sequences=(10, 11))
    assert _answered(link, 77) == 2


def test_answers_in_a_log_go_to_their_own_questions_whatever_came_between():
    link = logged_in()
    for gun in (1, 2):
        link.receive(changed("status-f26", pile_id=b"F5A1", gun=gun, gun_count=2, state=0, connection=2), AT_MS)
    frames = [changed("card-query-v26", pile_id=b"F5A1", card_no=card) for card in (b"00000000000000CA", b"CB")]
    first, second = (link.receive(frame, AT_MS)[0] for frame in frames)
    grant = c.AuthoriseStart("F5A1", first.reply_ref, "", 1, "0" * 16, 5_000, True, 0)
    answers = [link.send(grant), link.send(grant)]
    assert (first.connector, second.connector) == (1, 1), "nothing was allowed yet"

    log = logged_in()
    for gun in (1, 2):
        log.receive(changed("status-f26", pile_id=b"F5A1", gun=gun, gun_count=2, state=0, connection=2), AT_MS)
    log.receive(frames[0], AT_MS)
    [allowed] = log.observe_sent(answers[0], AT_MS)
    [other] = log.receive(frames[1], AT_MS)
    assert (allowed.connector, other.connector) == (1, 2)


@pytest.mark.parametrize("version", [16, 26, 40, 52])
def test_a_pile_that_is_refused_is_told_nothing_for_any_answer_would_let_it_in(version):
    link = Link()
    base = "login-sh52" if version > 44 else "login-sh26"
    [login] = link.receive(changed(base, pile_id=b"F5A1", proto_version=version, rsv_a="00" * 24), AT_MS)
    assert link.send(c.AnswerLogin("F5A1", login.reply_ref, False)) == b""
    assert not link.is_logged_in


def test_lv34_has_a_word_for_a_refusal():
    link = Link()
    [login] = link.receive(changed("login-lv34", pile_id=b"F5A1", proto_version=34), AT_MS)
    refusal = read_frame(link.send(c.AnswerLogin("F5A1", login.reply_ref, False)), "down", "lv34")
    assert (refusal.type, refusal.raw["random"]) == (105, 0)


@pytest.mark.parametrize(
    ("base", "version", "raw", "shown"),
    [
        ("login-sh52", 52, "09520000", "210.01"),
        ("login-sh26", 26, "01040700", "1.4.7.0"),
        ("login-sh26", 30, "AA280000", "104.10"),
        ("login-lv34", 34, "010203E8", "1.2.1000"),
    ],
)
def test_a_makers_version_is_shown_as_that_maker_writes_it_at_every_login(base, version, raw, shown):
    link = Link()
    frame = changed(base, pile_id=b"F5A1", proto_version=version, sw_version=raw)
    for _ in range(2):
        [login] = link.receive(frame, AT_MS)
        assert login.firmware_version == shown


def test_a_record_that_was_asked_for_may_have_a_body_without_an_index():
    wire = read_frame(FIXTURES["record-sh16"], "up")
    frame = write_frame(402, wire.raw, wire.layout)
    assert len(wire.body) == 256
    [fact] = Link(protocol="aaf5-sh16").receive(frame, AT_MS)
    assert (type(fact), fact.frame_type) == (e.RecordReceived, 402)
