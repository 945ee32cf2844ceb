import pytest

from gateway.frameblock import unpack_frames
from gateway.outcome import EventRaised
from gateway.witness import EvidenceFirst, Witness
from protocol import commands as c
from protocol import events as e
from protocol.link import Link
from tests.support import wire
from tests.support.bills import bill_row

PILE = "55031412782305"
SERIAL = PILE + "01" + "260303114016" + "0001"
T0 = 1_772_509_200_000
SILENCE_MS = 30_000


class Desk:
    """One link in front of a witness, and what the witness keeps."""

    def __init__(self):
        self.blocks = []
        self.witness = Witness(self.blocks.extend, silence_ms_max=SILENCE_MS)
        self.link = self.witness.link("10.0.0.5:4001", T0)
        self.protocol = Link()

    def hear(self, data, after_s):
        at_ms = T0 + after_s * 1000
        facts = self.protocol.receive(data, at_ms)
        self.link.read(data, at_ms, is_whole=not self.protocol.buffered_bytes, is_cut=bool(facts))
        self.link.told([fact for fact in facts if not isinstance(fact, e.FrameRefused)])

    @property
    def kept(self):
        self.witness.hand_over(0)
        return [frame for block in self.blocks for frame in unpack_frames(block)]

    @property
    def seconds(self):
        return [(row.at_ms - T0) // 1000 for row in self.kept if row.kind == "up"]

    def replayed(self):
        """What the kept bytes decode to, on a link that sees nothing else."""
        link = Link()
        return [fact for row in self.kept if row.kind == "up" for fact in link.receive(row.data, row.at_ms)]


@pytest.fixture
def desk():
    return Desk()


def test_a_heartbeat_that_repeats_the_former_is_dropped_while_nothing_charges(desk):
    for second in range(0, 600, 10):
        desk.hear(wire.heartbeat(PILE), second)
    assert desk.seconds == [0]
    desk.hear(wire.heartbeat(PILE, status=1), 600)
    desk.hear(wire.heartbeat(PILE, status=1), 610)
    assert desk.seconds == [0, 600]


def test_charging_samples_records_and_orders_are_all_kept(desk):
    desk.hear(wire.login(PILE), 0)
    for second in range(15, 75, 15):
        desk.hear(wire.sample(SERIAL, PILE, energy=second), second)
    desk.hear(wire.bms_end(SERIAL, PILE), 80)
    assert desk.seconds == [0, 15, 30, 45, 60, 80]
    desk.link.sent(c.StopCharging(PILE, None, 1), b"\x68", T0 + 81_000)
    desk.link.sent(c.AnswerHeartbeat(PILE, 1, 1), b"\x68", T0 + 82_000)
    desk.link.closed(T0 + 90_000)
    assert [(row.kind, row.about) for row in desk.kept] == [
        ("open", ""),
        ("up", "PileLoggedIn"),
        *[("up", "SampleReceived")] * 4,
        ("up", "BmsEnded"),
        ("down", "StopCharging"),
        ("close", ""),
    ]


def test_kept_bytes_show_no_silence_that_was_not_there(desk):
    desk.hear(wire.sample(SERIAL, PILE, energy=1), 0)
    for second in range(10, 310, 10):
        desk.hear(wire.heartbeat(PILE), second)
    gaps = [later - former for former, later in zip(desk.seconds, desk.seconds[1:], strict=False)]
    assert max(gaps) * 1000 < SILENCE_MS
    assert len(desk.seconds) < 20


def test_the_last_word_before_a_silence_is_kept(desk):
    desk.hear(wire.sample(SERIAL, PILE, energy=1), 0)
    desk.hear(wire.heartbeat(PILE), 2)
    desk.hear(wire.heartbeat(PILE), 8)
    assert desk.seconds == [0, 2]
    desk.witness.hand_over(T0 + 12_000)
    assert desk.seconds == [0, 2]
    desk.witness.hand_over(T0 + 24_000)
    assert desk.seconds == [0, 2, 8]


def test_a_closing_keeps_what_waited(desk):
    desk.hear(wire.sample(SERIAL, PILE, energy=1), 0)
    desk.hear(wire.heartbeat(PILE), 2)
    desk.hear(wire.heartbeat(PILE), 8)
    desk.link.closed(T0 + 9_000)
    assert desk.seconds == [0, 2, 8]
    assert desk.kept[-1].kind == "close"


@pytest.mark.parametrize("size", [1, 7, 50, 61, 97, 1000])
def test_frames_cut_anywhere_by_the_wire_are_kept_whole(desk, size):
    stream = wire.heartbeat(PILE)
    for second in range(15, 60, 15):
        stream += wire.heartbeat(PILE) + wire.sample(SERIAL, PILE, energy=second)
    for number, at in enumerate(range(0, len(stream), size)):
        desk.hear(stream[at : at + size], number)
    found = [fact for fact in desk.replayed() if isinstance(fact, e.SampleReceived)]
    assert [fact.energy_e4kwh for fact in found] == [15, 30, 45]
    assert not [fact for fact in desk.replayed() if isinstance(fact, e.FrameRefused)]


def test_two_piles_on_one_link_have_their_own_story(desk):
    other = "55031412782306"
    desk.hear(wire.login(PILE), 0)
    desk.hear(wire.login(other), 1)
    desk.hear(wire.sample(SERIAL, PILE, energy=1) + wire.heartbeat(other), 15)
    assert {row.pile_id for row in desk.kept} == {PILE, other}
    both = [row for row in desk.kept if (row.at_ms - T0) == 15_000]
    assert {row.pile_id: row.about for row in both} == {PILE: "SampleReceived", other: "HeartbeatReceived"}


def test_what_the_port_says_of_a_link_is_kept_with_its_opening():
    blocks = []
    witness = Witness(blocks.extend, silence_ms_max=SILENCE_MS)
    witness.link("10.0.0.5:4001", T0, "ykc-1.5").sent(c.StopCharging(PILE, None, 1), b"x", T0 + 1)
    witness.hand_over(0)
    assert [(row.kind, row.about) for row in unpack_frames(*blocks)] == [("open", "ykc-1.5"), ("down", "StopCharging")]


def test_a_read_that_tells_of_one_pile_twice_is_kept_once(desk):
    desk.hear(wire.login(PILE), 0)
    at_ms = T0 + 1_000
    facts = desk.protocol.receive(wire.sample(SERIAL, PILE, energy=1) + wire.login(PILE), at_ms)
    desk.link.read(b"both", at_ms, is_whole=True, is_cut=True)
    desk.link.told(facts[:1])
    desk.link.told(facts[1:])
    assert [row.data for row in desk.kept if row.at_ms == at_ms] == [b"both"]


class Writer:
    def __init__(self):
        self.rows = []

    def submit_telemetry(self, rows):
        self.rows += rows

    def submit(self, rows, work=None):
        self.rows += rows
        return work


def test_evidence_goes_before_what_rests_on_it_and_nobody_else_s():
    writer = Writer()
    witness = Witness(writer.submit_telemetry, silence_ms_max=SILENCE_MS)
    sink = EvidenceFirst(writer, witness)
    link = witness.link("10.0.0.5:4001", T0)
    for pile in (PILE, "p2"):
        link.sent(c.StopCharging(pile, None, 1), b"x", T0)
    raised = EventRaised("e", "t", "s", "p", T0, {})
    sink.submit([raised])
    assert writer.rows == [raised]
    assert sink.submit([bill_row("t1", pile_id=PILE), bill_row("t2", pile_id="never seen")], 7) == 7
    assert [type(row).__name__ for row in writer.rows] == ["EventRaised", "FramesKept", "BillIssued", "BillIssued"]
    assert writer.rows[1].pile_id == PILE
    assert witness.gathered == 2, "looked at once more, and found empty"
    witness.hand_over(0)
    assert (witness.gathered, writer.rows[-1].pile_id) == (0, "p2")
