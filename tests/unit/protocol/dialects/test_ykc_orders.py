"""Orders to frames and back: what a gateway says, and what a log of it says again."""

import typing

import pytest

from protocol import commands as c
from protocol.dialects.ykc_orders import from_command, to_command
from protocol.dialects.ykc_wire import read_frame, write_frame
from protocol.errors import LocalProtocolError
from tests.support.wire import bcd, cp56, frame

PILE = "44030512003301"
SERIAL = "44030512003301012603031140160007"
CARD = "00000000A1B2C3D4"
LOGIC = "6200000000001177"
NO_CARD = "0" * 16
FOUR = c.PileTariff("0100", ((123456, 45000), (98765, 45000), (65432, 40000), (30303, 35000)), (3, 2, 1, 0) * 12)
FIVE = c.PileTariff("0101", (*FOUR.prices_e5, (12, 0)), (4, 2, 1, 0) * 12, 3)
CARDS = tuple(c.OfflineCard(f"{number:016d}", f"{number:016X}") for number in range(1, 16))
UIDS = tuple(card.card_uid for card in CARDS)
CIVIL_MS = 1_772_538_016_000

ORDERS = [
    (0x02, c.AnswerLogin(PILE, 7, True)),
    (0x02, c.AnswerLogin(PILE, 7, False)),
    (0x04, c.AnswerHeartbeat(PILE, 7, 3)),
    (0x06, c.AnswerTariffCheck(PILE, 7, "0100", True)),
    (0x06, c.AnswerTariffCheck(PILE, 7, "0100", False)),
    (0x0A, c.SendTariff(PILE, 7, FOUR)),
    (0x0A, c.SendTariff(PILE, 7, FIVE)),
    (0x58, c.SetTariff(PILE, 7, FOUR)),
    (0x85, c.SetTariff(PILE, 7, FIVE)),
    (0x12, c.ReadSample(PILE, 7, 1)),
    (0x32, c.AuthoriseStart(PILE, 7, SERIAL, 1, LOGIC, 12345, True, 0)),
    (0x32, c.AuthoriseStart(PILE, 7, SERIAL, 1, NO_CARD, 0, False, 9)),
    (0xA2, c.AuthoriseStart(PILE, 7, SERIAL, 1, LOGIC, 12345, True, 0, "260303114016")),
    (0x34, c.StartCharging(PILE, 7, SERIAL, 1, LOGIC, CARD, 5000)),
    (0x34, c.StartCharging(PILE, 7, SERIAL, 1, NO_CARD, None, 5000)),
    (0xA4, c.StartCharging(PILE, 7, SERIAL, 2, LOGIC, CARD, 5000, "260303114016")),
    (0x36, c.StopCharging(PILE, 7, 2)),
    (0x40, c.AcknowledgeRecord(PILE, 7, SERIAL, True)),
    (0x40, c.AcknowledgeRecord(PILE, 7, SERIAL, False)),
    (0x42, c.UpdateBalance(PILE, 7, 1, CARD, 4294967295)),
    (0x42, c.UpdateBalance(PILE, 7, 1, None, 0)),
    (0x44, c.SyncCards(PILE, 7, CARDS)),
    (0x46, c.ClearCards(PILE, 7, UIDS)),
    (0x46, c.ClearCards(PILE, 7, ())),
    (0x48, c.QueryCards(PILE, 7, UIDS)),
    (0x52, c.SetWorkParams(PILE, 7, True, 30)),
    (0x56, c.SyncTime(PILE, 7, CIVIL_MS)),
    (0x62, c.ControlParkingLock(PILE, 7, 1, True)),
    (0x62, c.ControlParkingLock(PILE, 7, 1, False)),
    (0x92, c.Reboot(PILE, 7, True)),
    (0x92, c.Reboot(PILE, 7, False)),
    (0x94, c.UpdateFirmware(PILE, 7, "AC", 7, "10.0.0.9", 21, "u", "p", "/fw.bin", True, 5)),
    (0x94, c.UpdateFirmware(PILE, 7, "DC", 120, "10.0.0.9", 2121, "u", "p", "/fw.bin", False, 5)),
    (0xF0, c.SetQrPrefix(PILE, 7, "https://q.example.test/c?", True)),
    (0xF0, c.SetQrPrefix(PILE, 7, "", False)),
]


def written(command, options=frozenset()):
    kind, raw, layout = from_command(command, options)
    return write_frame(kind, raw, sequence=command.reply_ref or 0, layout=layout)


@pytest.mark.parametrize(("kind", "command"), ORDERS)
def test_an_order_comes_back_from_its_frame(kind, command):
    wire = read_frame(written(command))
    assert wire.type == kind
    assert to_command(wire, PILE) == command


OF_OTHERS = {c.SendFirmware, c.UpdateStep, c.AnswerReport, c.AskRecord, c.OtherOrder}


def test_every_order_is_written_but_those_of_other_dialects():
    assert {type(command) for _, command in ORDERS} == set(typing.get_args(c.PileCommand)) - OF_OTHERS


def test_an_order_of_another_dialect_is_refused_with_its_name():
    with pytest.raises(LocalProtocolError, match="AskRecord"):
        from_command(c.AskRecord(PILE, None, 1, SERIAL))


def test_a_big_endian_balance_comes_back_too():
    order = c.AuthoriseStart(PILE, 7, SERIAL, 1, LOGIC, 12345, True, 0)
    options = frozenset({"balance-be"})
    assert to_command(read_frame(written(order, options), options), PILE) == order


def test_an_accepted_start_carries_no_reason():
    assert from_command(c.AuthoriseStart(PILE, 7, SERIAL, 1, LOGIC, 1, True, 9))[1]["fail_reason"] == 0


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (c.SyncCards(PILE, None, (*CARDS, CARDS[0])), "16 cards, 15 fit one frame"),
        (c.ClearCards(PILE, None, (CARD,) * 25), "25 cards, 24 fit one frame"),
        (c.QueryCards(PILE, None, (CARD,) * 27), "27 cards, 26 fit one frame"),
        (c.SetQrPrefix(PILE, None, "x" * 201, True), "at most 200 characters"),
    ],
)
def test_what_does_not_fit_one_frame_is_refused(command, text):
    with pytest.raises(LocalProtocolError, match=text) as caught:
        from_command(command)
    assert caught.value.code == "too_long"


@pytest.mark.parametrize("most", [c.ClearCards(PILE, 0, (CARD,) * 24), c.QueryCards(PILE, 0, (CARD,) * 26)])
def test_the_longest_lists_fit(most):
    assert to_command(read_frame(written(most)), PILE) == most


def test_a_time_that_cannot_be_decoded_is_no_order():
    assert to_command(read_frame(frame(0x56, bcd(PILE) + cp56(None)))) is None


def test_a_frame_of_a_pile_is_no_order():
    assert to_command(read_frame(frame(0x03, bcd(PILE) + b"\x01\x00"))) is None


@pytest.mark.parametrize(("byte", "connector"), [(0x09, 9), (0x10, 10), (0x19, 19), (0x0A, 10)])
def test_orders_name_connectors_as_piles_do(byte, connector):
    assert to_command(read_frame(frame(0x36, bcd(PILE) + bytes((byte,))))).connector == connector
