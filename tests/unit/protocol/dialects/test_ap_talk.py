"""The experimental 104-style dialect: frames by structure, and a day on one link."""

import pytest

from protocol import commands as c
from protocol import events as e
from protocol.detect import first_heard
from protocol.dialects.ap_frames import (
    DOWN,
    FRAMES,
    LIVE,
    RECORD,
    REGISTER,
    STARTDT,
    TESTFR,
    UP,
    ApFramer,
    Kind,
    read_frame,
    type_text,
    write_frame,
)
from protocol.dialects.ap_talk import turned
from protocol.dialects.ykc_times import raw_time
from protocol.errors import LocalProtocolError
from protocol.fields import Op
from protocol.link import Link

AT_MS = 1_772_509_216_074
CIVIL_MS = 1_772_538_002_000  # 2026-03-03 11:40:02
PILE = "4403000000012345"
ID = turned(PILE)
NUMBER = "03000000012345" + "01" + "260303114016" + "0017"
# put together by hand from the tables of the protocol
REGISTERED = "6801" + "4523010000000344" + "0000"
CLOCK = "6813" + "00000000" + "67000600" + "00000000" + "D007280B03031A"
START = (
    "6835" + "00000000" + "85000600" + "00000000" + "15" + "4523010000000344" + "00" + "01" + "00" + "04" + "00000000"
)
START += "0000000000000000" + turned(NUMBER)


def blank(layout, **given):
    values = {}
    for name, kind in layout.fields:
        match int(kind.op):
            case Op.HEX:
                values[name] = "00" * kind.width
            case Op.BYTES:
                values[name] = b""
            case Op.GROUP:
                values[name] = [{"price": 0, "energy": 0, "amount": 0}] * kind.width
            case _:
                values[name] = 0
    return values | given


def up(kind, layout, **given):
    return write_frame(kind, blank(layout, id=ID, **given), UP)


def registered():
    link = Link(protocol="iec104-ap")
    [login] = link.receive(bytes.fromhex(REGISTERED), AT_MS)
    assert (login.pile_id, login.protocol) == (PILE, "iec104-ap")
    assert link.send(c.AnswerLogin(PILE, login.reply_ref, True)).hex().upper() == REGISTERED
    return link


def test_it_is_spoken_where_it_is_named_and_nowhere_else():
    assert first_heard(bytes.fromhex(REGISTERED)).name == "ykc"
    assert any("experimental" in note for note in registered().take_notes())


@pytest.mark.parametrize(("text", "direction", "kind"), [(CLOCK, DOWN, "67/06/00"), (START, DOWN, "85/06/15")])
def test_a_frame_is_known_by_head_and_length(text, direction, kind):
    frame = bytes.fromhex(text)
    wire = read_frame(frame, direction)
    assert (wire.error, type_text(wire.type)) == (None, kind)
    assert read_frame(frame[:-1], direction).code == "unknown_type"
    assert read_frame(frame, UP).code == "unknown_type"


@pytest.mark.parametrize(("direction", "kind"), [(key[0], key[1:]) for key in FRAMES])
def test_every_frame_is_written_and_read_back(direction, kind):
    layout = FRAMES[(direction, *kind)]
    raw = blank(layout, **({"rest": "00" * 86} if layout.name == "bms" else {}))
    frame = write_frame(Kind(*kind), raw, direction)
    assert frame[1] == len(frame) - 2
    wire = read_frame(frame, direction)
    assert wire.error is None
    assert write_frame(Kind(*kind), wire.raw, direction) == frame


def test_a_stream_is_cut_by_structure_alone():
    live = up(Kind(0x86, 6), LIVE)
    stream = b"\x68\x02noise\x68\xa6" + live + b"\x00" + write_frame(Kind(TESTFR), {}) + b"\xff"
    for step in (1, 7, len(stream)):
        framer = ApFramer(UP)
        cuts = [cut for at in range(0, len(stream), step) for cut in framer.feed(stream[at : at + step])]
        assert [cut.data for cut in cuts if not cut.reason] == [live, write_frame(Kind(TESTFR), {})]
        assert b"".join(cut.data for cut in cuts) == stream
        assert [cut.offset for cut in cuts] == sorted(cut.offset for cut in cuts)


def test_keep_alives_are_answered_in_kind():
    link = registered()
    for act, con in ((STARTDT, 0x0B), (TESTFR, 0x83)):
        [beat] = link.receive(write_frame(Kind(act), {}), AT_MS)
        assert link.send(c.AnswerHeartbeat(PILE, beat.reply_ref, None)) == bytes((0x68, 4, con, 0, 0, 0))


def test_the_clock_is_set_as_the_firmware_compares_it():
    assert registered().send(c.SyncTime(PILE, None, CIVIL_MS)).hex().upper() == CLOCK[:-2] + "1A"


def test_a_start_carries_the_number_and_the_record_half_of_it():
    link = registered()
    assert link.send(c.StartCharging(PILE, None, NUMBER, 1, "0" * 16, None, 5_000)).hex().upper() == START
    live = up(Kind(0x86, 6), LIVE, state=3, plugged=1, energy_total=1_500, order_no=turned(NUMBER), electricity_fee=120)
    [sample] = link.receive(live, AT_MS)
    assert (sample.transaction_id, sample.energy_e4kwh, sample.amount_e4yuan) == (NUMBER, 15_000, 12_000)
    half = turned(NUMBER)[:16] + "0" * 16
    times = {"start": raw_time(CIVIL_MS), "end": raw_time(CIVIL_MS + 600_000)}
    frame = up(
        Kind(0x82, 6, 2), RECORD, order_no=half, peak=150, total=150, meter_start=1_000, meter_end=1_150, **times
    )
    [record] = link.receive(frame, AT_MS)
    assert (record.serial, record.energy_e4kwh) == (NUMBER, 15_000)
    assert [tier.energy_e4kwh for tier in record.tiers] == [0, 15_000, 0, 0]
    said = link.send(c.AcknowledgeRecord(PILE, record.reply_ref, record.serial, True), AT_MS)
    assert read_frame(said, DOWN).raw == {"id": ID, "gun": 0, "result": 0, "order_no": half}
    assert link.send(c.AcknowledgeRecord(PILE, record.reply_ref, record.serial, True), AT_MS) == b""


def test_what_a_pile_at_rest_shows_of_the_former_session_is_nothing():
    [sample] = registered().receive(up(Kind(0x86, 6), LIVE, state=2, energy_total=9_999, order_no="99" * 16), AT_MS)
    assert (sample.transaction_id, sample.energy_e4kwh, sample.status) == (None, 0, e.ConnectorStatus.IDLE)


def test_a_second_pile_cannot_register_on_a_link():
    [refused] = registered().receive(write_frame(Kind(REGISTER), {"id": "99" * 8, "address": 0}), AT_MS)
    assert "second pile" in refused.detail


def test_a_tariff_it_cannot_hold_is_refused_in_words():
    link = registered()
    flat = c.PileTariff("0100", ((110_000, 80_000), (70_000, 80_000)), (0,) * 24 + (1,) * 24)
    raw = read_frame(link.send(c.SetTariff(PILE, None, flat)), DOWN).raw
    assert (raw["slots"][:2], raw["slots"][-2:], raw["service"]) == ("01", "02", 80)
    uneven = c.PileTariff("0100", ((110_000, 80_000), (70_000, 50_000)), (0,) * 24 + (1,) * 24)
    with pytest.raises(LocalProtocolError, match="several service prices"):
        link.send(c.SetTariff(PILE, None, uneven))
    with pytest.raises(LocalProtocolError, match="Reboot"):
        link.send(c.Reboot(PILE, None, True))


def test_a_log_tells_its_orders():
    link = registered()
    orders = link.observe_sent(bytes.fromhex(START + CLOCK), AT_MS)
    assert [type(order) for order in orders] == [c.StartCharging, c.SyncTime]
    assert orders[0].transaction_id == NUMBER
