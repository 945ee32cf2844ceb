"""Orders to piles of the AA F5 family: each profile's frame, back from it, and what none can carry."""

import pytest

from protocol import commands as c
from protocol.dialects.aaf5_frames import LV34, OP30, PROFILES, SH16, SH26, SH40, SH52, SL
from protocol.dialects.aaf5_orders import Speech, from_command, session_word
from protocol.dialects.aaf5_overheard import Overheard, to_command
from protocol.dialects.aaf5_wire import enclose, read_frame, text_of, write_frame
from protocol.errors import LocalProtocolError
from protocol.link import Link

PILE = "SX0755260001"
NUMBER = "X0755260001AB" + "01" + "260303114016" + "0001"
TARIFF = c.PileTariff(
    "0000", ((31_200, 40_000), (92_100, 40_000), (118_300, 50_000)), (0,) * 16 + (1,) * 20 + (2,) * 12
)
FEN = c.PileTariff("0000", ((31_000, 0), (92_000, 0)), (0,) * 16 + (1,) * 32)
CIVIL_MS = 1_772_538_000_000


def written(command, profile, options=frozenset()):
    number, raw, layout = from_command(command, Speech(profile, options))
    return read_frame(write_frame(number, raw, layout), "down", profile)


def back(command, profile, options=frozenset()):
    return to_command(Overheard(written(command, profile, options), PILE, 1, ()))


@pytest.mark.parametrize(
    ("profile", "command"),
    [
        *((profile, c.StopCharging(PILE, 0, 2)) for profile in PROFILES),
        *((profile, c.SyncTime(PILE, 0, CIVIL_MS)) for profile in PROFILES),
        *((profile, c.Reboot(PILE, 0, True)) for profile in PROFILES),
        *((profile, c.ReadSample(PILE, 0, 1)) for profile in PROFILES),
        *((profile, c.SetWorkParams(PILE, 0, True, 100)) for profile in PROFILES),
        *((profile, c.SetQrPrefix(PILE, 0, "https://q/", True)) for profile in (SH26, SH40, SH52)),
        *((profile, c.SetTariff(PILE, 0, FEN)) for profile in (SH16, SH26, SH40)),
        *((profile, c.SetTariff(PILE, 0, TARIFF)) for profile in (SH52, LV34)),
        (SH52, c.UpdateBalance(PILE, 0, 2, None, 12_345)),
        (SH52, c.AskRecord(PILE, 0, 1, NUMBER)),
        *(
            (profile, c.StartCharging(PILE, 0, NUMBER, 1, "0" * 16, None, 5_000))
            for profile in (SH16, SH26, SH40, SH52)
        ),
        (OP30, c.StartCharging(PILE, 0, NUMBER, 2, "0" * 16, "00000000CA000001", 5_000)),
    ],
)
def test_an_order_comes_back_from_its_frame(profile, command):
    assert back(command, profile) == command


@pytest.mark.parametrize(
    ("profile", "command", "says"),
    [
        (LV34, c.StartCharging(PILE, None, NUMBER, 1, "0" * 16, None, 5_000), "lv34-start"),
        (SH26, c.StartCharging(PILE, None, NUMBER, 1, "0" * 16, None, 5_000, "PARALL"), "several connectors"),
        (SH26, c.UpdateBalance(PILE, None, 1, None, 100), "new balance"),
        (SH52, c.Reboot(PILE, None, False), "at once or not at all"),
        (SH52, c.SetWorkParams(PILE, None, False, 50), "in percent"),
        (LV34, c.AskRecord(PILE, None, 1, NUMBER), "stored record"),
        (SH52, c.SyncCards(PILE, None, ()), "SyncCards"),
        (SL, c.SetTariff(PILE, None, TARIFF), "SetTariff"),
        (SH52, c.UpdateFirmware(PILE, None, "DC", 60, "h", 2121, "u", "p", "/f", True, 5), "port but 21"),
        (SH26, c.SendTariff(PILE, None, TARIFF), "as an answer"),
        *((profile, c.UpdateStep(PILE, None, "size", 9), "in chunks") for profile in (LV34, SL)),
    ],
)
def test_what_a_profile_cannot_carry_is_refused_in_words(profile, command, says):
    with pytest.raises(LocalProtocolError, match=says) as refusal:
        from_command(command, Speech(profile, frozenset()))
    assert refusal.value.code == "cannot_carry"


def test_a_start_that_nobody_published_is_sent_only_when_asked_for():
    order = c.StartCharging(PILE, None, NUMBER, 1, "0" * 16, None, 5_000)
    assert written(order, LV34, frozenset({"lv34-start"})).type == 7


def test_a_tariff_of_more_than_twelve_periods_is_refused_before_it_is_sent():
    busy = c.PileTariff("0100", ((1, 2), (3, 4)), (0, 1) * 24)
    with pytest.raises(LocalProtocolError, match="48 periods a day, this pile takes 12"):
        written(c.SetTariff(PILE, None, busy), SH26)
    assert len(written(c.SetTariff(PILE, None, busy), LV34).raw["periods"]) == 48


def test_periods_end_at_24_and_those_of_one_maker_at_0():
    ends = {profile: written(c.SetTariff(PILE, None, TARIFF), profile).raw["periods"] for profile in (SH52, OP30, LV34)}
    assert [ends[profile][2]["to_h"] for profile in (SH52, OP30)] == [24, 24]
    assert ends[LV34][47]["to_h"] == 0


def test_prices_are_cut_to_what_a_pile_carries():
    fine = c.PileTariff("0100", ((31_299, 45_999),), (0,) * 48)
    assert written(c.SetTariff(PILE, None, fine), SH26).raw["periods"][0]["price"] == 31
    assert written(c.SetTariff(PILE, None, fine), SH52).raw["periods"][0]["service"] == 4599


def test_named_periods_hold_two_windows_each():
    raw = written(c.SendTariff(PILE, None, TARIFF), OP30).raw
    assert (raw["sharp_price"], raw["sharp_1"], raw["sharp_2"]) == (31, "00000800", "00000000")
    many = c.PileTariff("0100", ((1000, 0), (2000, 0)), (0, 1) * 6 + (0,) * 36)
    with pytest.raises(LocalProtocolError, match="takes 2"):
        written(c.SendTariff(PILE, None, many), OP30)


@pytest.mark.parametrize(
    ("profile", "reason", "field", "value"), [(SH52, 0, "result", 0), (SH52, 1, "result", 5), (SH26, 3, "result", 2)]
)
def test_a_card_is_answered_with_the_number_where_it_fits(profile, reason, field, value):
    order = c.AuthoriseStart(PILE, 1, NUMBER if not reason else "", 1, "0" * 16, 5_000, reason == 0, reason)
    number, raw, layout = from_command(order, Speech(profile, frozenset(), command_no=204, asked={"gun": 1}))
    wire = read_frame(write_frame(number, raw, layout), "down", profile)
    assert (wire.type, wire.raw[field]) == (203, value)
    assert ("serial" in wire.raw) is (profile == SH52)


@pytest.mark.parametrize(("asked", "answer", "accepted"), [(502, 501, 0x55), (504, 503, 0x55)])
def test_one_edition_says_yes_with_0x55(asked, answer, accepted):
    for is_accepted in (True, False):
        order = c.AuthoriseStart(PILE, 1, NUMBER, 1, "0" * 16, 5_000, is_accepted, 0 if is_accepted else 1)
        number, raw, _ = from_command(order, Speech(OP30, frozenset(), command_no=asked, asked={"gun": 1}))
        assert number == answer
        assert (raw["result"] == accepted) is is_accepted
        assert text_of(raw["order_no"].ljust(32, b"\0")) == (NUMBER if is_accepted else "")


def test_the_word_of_a_session_is_never_zero():
    assert all(1 <= session_word(f"{number:031d}") <= 0xFFFF for number in range(500))


@pytest.mark.parametrize(
    ("step", "number", "data", "command", "raw"),
    [
        ("size", 70_000, b"", 1005, {"number": 70_000}),
        ("erase", 0, b"", 1001, {"number": 0xAA55}),
        ("name", 0, b"f.bin", 1003, {"data": "662E62696E"}),
        ("chunk", 258, b"\1\2", 1007, {"data": "0102"}),
        ("end", 0, b"", 1009, {"number": 0}),
        ("restart", 0, b"", 1011, {"number": 0}),
    ],
)
def test_the_steps_of_an_update_have_frames_of_their_own(step, number, data, command, raw):
    wire = written(c.UpdateStep(PILE, None, step, number, data), OP30)
    assert (wire.type, wire.raw, wire.error) == (command, raw, None)


def test_a_chunk_is_numbered_by_its_sequence_and_its_answer_read_in_either_order():
    link = Link(protocol="aaf5-op30")
    frame = link.send(c.UpdateStep(PILE, None, "chunk", 258, b"\1\2"))
    assert read_frame(frame, "down", OP30).sequence == 2
    for profile, body in ((OP30, bytes([1, 2]) + bytes(6)), (SH52, bytes([2, 1]) + bytes(6))):
        [fact] = Link(protocol=f"aaf5-{profile}", only_pile=None).receive(enclose(1008, body), 0)
        assert (fact.order, fact.is_accepted, fact.reason_code) == ("UpdateStep", False, 1)
        assert (fact.detail["step"], fact.detail["seq"]) == ("chunk", 2)
