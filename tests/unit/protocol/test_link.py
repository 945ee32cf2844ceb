"""One connection without a socket: what comes in, what goes out, and what the link learns of its pile."""

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.dialects.ykc_wire import HIGH_FIRST, LOW_FIRST, read_frame
from protocol.errors import FrameError, LocalProtocolError
from protocol.link import Link
from protocol.transitions import LinkState
from tests.support.wire import bcd, cp56, crc16, frame, heartbeat, login, sample

PILE = "44030512003301"
SERIAL = "44030512003301012603031140160007"
AT_MS = 1_772_509_216_074


def high_first(data: bytes) -> bytes:
    return data[:-2] + data[:-3:-1]


def facts(link, *chunks):
    return [fact for chunk in chunks for fact in link.receive(chunk, AT_MS)]


def only(link, data):
    [fact] = facts(link, data)
    return fact


# -- who is there ---------------------------------------------------------------------------------------


def test_a_login_names_pile_and_version():
    link = Link()
    assert not link.is_logged_in
    fact = only(link, login(PILE, guns=4, version=15, software=b"V3.2"))
    assert isinstance(fact, e.PileLoggedIn)
    assert (fact.pile_id, fact.protocol, fact.connector_count) == (PILE, "ykc-1.5", 4)
    assert (link.pile_id, link.protocol, link.is_logged_in) == (PILE, "ykc-1.5", True)


def test_a_log_may_begin_anywhere():
    link = Link()
    only(link, heartbeat(PILE, 1))
    assert link.pile_id == PILE
    assert not link.is_logged_in


def test_a_refused_login_takes_the_link_back():
    link = Link()
    only(link, login(PILE))
    link.send(c.AnswerLogin(PILE, 0, False))
    assert link.state is LinkState.CONNECTED
    assert not link.is_logged_in


def test_a_refused_login_is_seen_in_a_log_too():
    link = Link()
    only(link, login(PILE))
    [answer] = link.observe_sent(frame(0x02, bcd(PILE) + b"\x01"), AT_MS)
    assert answer == c.AnswerLogin(PILE, 0, False)
    assert not link.is_logged_in


# -- what the link learns -------------------------------------------------------------------------------


@pytest.mark.parametrize(("turn", "order"), [(lambda data: data, LOW_FIRST), (high_first, HIGH_FIRST)])
def test_the_byte_order_of_checksums_is_learnt_and_answered_in_kind(turn, order):
    link = Link()
    assert link.crc_order is None
    only(link, turn(login(PILE)))
    assert link.crc_order == order
    assert link.is_recognised
    assert read_frame(link.send(c.AnswerLogin(PILE, 0, True))).crc == order


def test_the_first_order_learnt_stays():
    link = Link()
    facts(link, high_first(login(PILE)), heartbeat(PILE))
    assert link.crc_order == HIGH_FIRST


def test_a_checksum_that_holds_by_chance_teaches_nothing():
    link = Link()
    fact = only(link, high_first(frame(0xEE, b"\x01\x02")))
    assert fact.code == "unknown_type"
    assert not link.is_recognised
    only(link, login(PILE))
    assert link.crc_order == LOW_FIRST


def test_before_anything_was_learnt_the_low_byte_goes_first():
    assert read_frame(Link().send(c.StopCharging(PILE, None, 1))).crc == LOW_FIRST


@pytest.mark.parametrize(("byte", "connector"), [(0x0A, 10), (0x10, 10), (0x12, 12), (0x09, 9)])
def test_a_connector_is_called_by_the_byte_the_pile_uses(byte, connector):
    link = Link()
    fact = only(link, heartbeat(PILE, byte))
    assert fact.connector == connector
    assert link.send(c.StopCharging(PILE, None, connector))[13] == byte


def test_connectors_are_called_as_they_are_when_the_pile_has_not_spoken():
    assert Link().send(c.StopCharging(PILE, None, 12))[13] == 12


@pytest.mark.parametrize(("version", "energy"), [(13, 123_400), (14, 1234), (16, 1234)])
def test_piles_before_1_4_carry_two_decimals(version, energy):
    link = Link()
    only(link, login(PILE, version=version))
    assert only(link, sample(SERIAL, PILE, energy=1234)).energy_e4kwh == energy


def test_options_may_be_learnt_after_the_login():
    link = Link()
    only(link, login(PILE))
    link.options = frozenset({"fault-bit1-at-2"})
    assert link.options == {"fault-bit1-at-2"}
    assert only(link, sample(SERIAL, PILE, faults=0x0002)).fault_bits == 0x0001


def test_a_link_may_be_of_one_pile_alone():
    link = Link(only_pile=PILE)
    fact = only(link, login("31010900002077"))
    assert (fact.code, fact.detail) == ("other_pile", f"names pile 31010900002077 on the link of pile {PILE}")
    assert (link.pile_id, link.is_logged_in) == (None, False)
    assert isinstance(only(link, login(PILE)), e.PileLoggedIn)


def test_master_data_of_another_dialect_say_nothing_about_a_link():
    link = Link()
    only(link, login(PILE))
    link.configure("aaf5")
    link.configure("ykc-1.5")
    assert link.protocol == "ykc-1.6"
    assert link.take_notes() == []


# -- what goes out --------------------------------------------------------------------------------------


def test_an_answer_repeats_the_sequence_and_orders_count():
    link = Link()
    only(link, frame(0x03, bcd(PILE) + b"\x01\x00", sequence=0x1234))
    answer = link.send(c.AnswerHeartbeat(PILE, 0x1234, 1))
    assert answer[2:4] == b"\x34\x12"
    sent = [link.send(c.StopCharging(PILE, None, 1)) for _ in range(3)]
    assert [one[2:4] for one in sent] == [b"\x00\x00", b"\x01\x00", b"\x02\x00"]


def test_the_sequence_wraps():
    link = Link()
    for _ in range(0x10000):
        last = link.send(c.StopCharging(PILE, None, 1))
    assert last[2:4] == b"\xff\xff"
    assert link.send(c.StopCharging(PILE, None, 1))[2:4] == b"\x00\x00"


def test_what_no_frame_can_carry_is_refused():
    with pytest.raises(LocalProtocolError, match="balance_yuan"):
        Link().send(c.UpdateBalance(PILE, None, 1, None, -1))


def test_deviations_of_the_pile_change_what_is_sent():
    order = c.AuthoriseStart(PILE, 0, SERIAL, 1, "0" * 16, 5000, True, 0)
    usual = Link().send(order)
    big = Link(options=frozenset({"balance-be"})).send(order)
    assert usual[38:42] == bytes.fromhex("88130000")
    assert big[38:42] == bytes.fromhex("00001388")


# -- what is refused ------------------------------------------------------------------------------------


def test_a_wrong_checksum_is_refused_with_the_right_one():
    good = heartbeat(PILE)
    fact = only(Link(), good[:-2] + b"\x00\x00")
    assert (fact.code, fact.offset) == ("checksum", 0)
    assert fact.detail == f"checksum is 0000, expected {good[-2:].hex().upper()} (low byte first)"


def test_noise_is_refused_with_its_place():
    noise, fact = facts(Link(), b"\x01\x02\x03" + heartbeat(PILE))
    assert (noise.code, noise.detail, noise.raw) == ("noise", "3 bytes that belong to no frame", b"\x01\x02\x03")
    assert isinstance(fact, e.HeartbeatReceived)


def test_an_unknown_type_is_refused():
    fact = only(Link(), frame(0xEE, b"\x01"))
    assert (fact.code, fact.detail) == ("unknown_type", "type 0xEE is unknown")


def test_a_frame_only_gateways_send_is_refused():
    fact = only(Link(), frame(0x40, bcd(SERIAL) + b"\x00"))
    assert (fact.code, fact.detail) == ("unexpected", "type 0x40 is sent by gateways, not by piles")


def test_a_body_too_short_for_its_layout_is_refused_with_the_field():
    fact = only(Link(), frame(0x3B, bytes(120)))
    assert fact.code == "length"
    assert "the field amount_yuan needs bytes 120 to 124" in fact.detail


def test_half_a_frame_waits():
    link = Link()
    assert facts(link, heartbeat(PILE)[:7]) == []
    assert link.buffered_bytes == 7


# -- encryption -----------------------------------------------------------------------------------------


class Xor:
    """A stand-in that turns every bit, and knows no body longer than a login."""

    def decrypt(self, body: bytes) -> bytes:
        if len(body) > 30:
            raise FrameError("encrypted", "the key does not fit")
        return bytes(byte ^ 0xFF for byte in body)

    def encrypt(self, body: bytes) -> bytes:
        return bytes(byte ^ 0xFF for byte in body)


@pytest.mark.parametrize("flag", [1, 2, 0x7F])
def test_an_encrypted_frame_is_refused_with_that_reason(flag):
    fact = only(Link(), frame(0x03, bytes(9), enc=flag))
    assert fact.code == "encrypted"
    assert fact.detail == f"encrypted (flag 0x{flag:02X}): no key, the body cannot be read"


def test_an_encrypted_frame_still_teaches_the_byte_order():
    link = Link()
    only(link, high_first(frame(0x03, bytes(9), enc=1)))
    assert link.crc_order == HIGH_FIRST


def test_a_cipher_sits_between_envelope_and_layout():
    link = Link(cipher=Xor())
    secret = frame(0x03, Xor().encrypt(bcd(PILE) + b"\x02\x00"), sequence=7, enc=1)
    fact = only(link, secret)
    assert (fact.pile_id, fact.connector, fact.reply_ref) == (PILE, 2, 7)
    answer = link.send(c.AnswerHeartbeat(PILE, 7, 2))
    assert answer[4] == 1
    assert Xor().decrypt(answer[6:-2]) == bcd(PILE) + b"\x02\x00"
    assert crc16(answer[2:-2]).to_bytes(2, "little") == answer[-2:]


def test_a_pile_that_speaks_plainly_is_answered_plainly():
    link = Link(cipher=Xor())
    only(link, heartbeat(PILE))
    assert link.send(c.AnswerHeartbeat(PILE, 0, 1))[4] == 0


def test_what_a_cipher_cannot_read_is_refused_with_its_words():
    fact = only(Link(cipher=Xor()), frame(0x13, bytes(60), enc=1))
    assert fact.code == "encrypted"
    assert fact.detail == "encrypted, and not to be decrypted: the key does not fit"


# -- what a gateway sent, in a log ----------------------------------------------------------------------


def test_orders_of_a_log_come_back_as_orders():
    link = Link()
    only(link, login(PILE))
    order = c.StartCharging(PILE, 0, SERIAL, 1, "0" * 16, None, 5000)
    assert link.observe_sent(Link().send(order), AT_MS) == [order]


def test_an_acknowledgement_gets_its_pile_from_the_link():
    link = Link()
    only(link, login(PILE))
    assert link.observe_sent(frame(0x40, bcd(SERIAL) + b"\x00"), AT_MS) == [c.AcknowledgeRecord(PILE, 0, SERIAL, True)]


def test_an_acknowledgement_of_the_wrong_type_is_one_all_the_same():
    [order] = Link().observe_sent(frame(0x06, bcd(SERIAL) + b"\x00"), AT_MS)
    assert order == c.AcknowledgeRecord("", 0, SERIAL, True)


@pytest.mark.parametrize(
    ("data", "code", "detail"),
    [
        (b"\x01\x02", "noise", "2 bytes that belong to no frame"),
        (frame(0xEE, b""), "unknown_type", "type 0xEE is unknown"),
        (heartbeat(PILE), "unexpected", "type 0x03 is sent by piles, not by gateways"),
        (
            frame(0x56, bcd(PILE) + cp56(None)),
            "unexpected",
            "no order can be read from type 0x56: its time cannot be decoded",
        ),
    ],
)
def test_what_no_gateway_says_is_refused(data, code, detail):
    [refused] = Link().observe_sent(data, AT_MS)
    assert (refused.code, refused.detail) == (code, detail)
