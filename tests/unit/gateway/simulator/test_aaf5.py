"""A simulated pile of the AA F5 family: its queue, its arithmetic, its frames."""

import pytest

from gateway.simulator.aaf5 import Aaf5Pile
from gateway.simulator.plan import PilePlan, Visit
from gateway.simulator.rates import Rates
from protocol import commands as c
from protocol import events as e
from protocol.link import Link

AT_MS = 1_772_509_216_000  # 2026-03-03 11:40:16 in Shanghai
PILE = "SIM00000000001"
FLAT = c.PileTariff("0100", ((110_000, 80_000), (70_000, 80_000)), (0,) * 24 + (1,) * 24)


class Site:
    """A pile and the gateway's side of its link, on one clock."""

    def __init__(self, profile, visit):
        plan = PilePlan(PILE, "DC", ((visit,),), protocol=f"aaf5-{profile}", registers_e4kwh=(123_456_789,))
        self.pile = Aaf5Pile(plan, 1, AT_MS)
        self.link = Link()
        self.now_ms = AT_MS
        self.facts = []
        self.pile.on_link_opened(AT_MS)

    def pump(self):
        while (frames := self.pile.take_outgoing()) != []:
            for fact in self.link.receive(b"".join(frames), self.now_ms):
                assert not isinstance(fact, e.FrameRefused), fact
                self.facts.append(fact)
                self.answer(fact)

    def answer(self, fact):
        match fact:
            case e.PileLoggedIn():
                self.say(c.AnswerLogin(PILE, fact.reply_ref, True))
                self.say(c.SetTariff(PILE, None, FLAT))
            case e.HeartbeatReceived():
                self.say(c.AnswerHeartbeat(PILE, fact.reply_ref, None))
            case e.RecordReceived():
                self.say(c.AcknowledgeRecord(PILE, fact.reply_ref, fact.serial, True))

    def say(self, command):
        self.pile.receive(self.link.send(command, self.now_ms), self.now_ms)

    def run(self, until_ms):
        self.pump()
        while self.now_ms < AT_MS + until_ms:
            self.now_ms += 1_000
            self.pile.on_timer(self.now_ms)
            self.pump()

    def of(self, kind):
        return [fact for fact in self.facts if isinstance(fact, kind)]


VISIT = Visit(start="app", wait_ms=2_000, charge_ms=1_800_000, power_w=60_000, vin="LSIM0000000000001")
NUMBER = "0" * 13 + "01" + "260303114016" + "0001"


@pytest.mark.parametrize(("profile", "step"), [("sh26", 100), ("sh52", 10)])
def test_a_charge_ordered_by_the_gateway_ends_in_one_record(profile, step):
    site = Site(profile, VISIT)
    site.run(5_000)
    site.say(c.StartCharging(PILE, None, NUMBER, 1, "0" * 16, None, 50_000))
    site.run(1_900_000)
    [answer] = site.of(e.StartAnswered)
    assert (answer.transaction_id, answer.is_accepted) == (NUMBER, True)
    samples = [fact for fact in site.of(e.SampleReceived) if fact.transaction_id]
    assert {sample.transaction_id for sample in samples} == {NUMBER}
    [record] = site.of(e.RecordReceived)
    assert record.serial == NUMBER
    assert record.energy_e4kwh % step == 0
    assert record.energy_e4kwh == record.meter_stop_e4kwh - record.meter_start_e4kwh == sum(record.slots_e4kwh)
    assert abs(record.energy_e4kwh - 300_000) <= step
    assert record.are_slots_periods is (profile == "sh52")
    assert (site.pile.queue.destroyed, site.pile.queue.unasked, len(site.pile.queue)) == (0, 0, 0)


def test_an_amount_is_clamped_at_what_was_prepaid():
    site = Site("sh52", VISIT)
    site.run(5_000)
    site.say(c.StartCharging(PILE, None, NUMBER, 1, "0" * 16, None, 1_000))
    site.run(1_900_000)
    [record] = site.of(e.RecordReceived)
    assert record.amount_e4yuan <= 100_000
    assert record.stop_kind == "balance"


def test_a_stop_and_a_reboot_are_answered_as_that_firmware_answers_them():
    site = Site("sh26", VISIT)
    site.run(5_000)
    site.say(c.StartCharging(PILE, None, NUMBER, 1, "0" * 16, None, 50_000))
    site.run(60_000)
    site.say(c.StopCharging(PILE, None, 1))
    site.run(90_000)
    site.say(c.Reboot(PILE, None, True))
    site.run(91_000)
    answers = {fact.order: fact for fact in site.of(e.OrderAnswered)}
    assert (answers["StopCharging"].is_accepted, answers["StopCharging"].connector) == (True, 1)
    assert (answers["Reboot"].reason_code, answers["Reboot"].is_accepted) == (1, True)


def test_a_stored_record_is_read_back_by_number_and_by_place():
    for profile in ("sh26", "sh52"):
        site = Site(profile, VISIT)
        site.pile.loses_uploads = True
        site.run(5_000)
        site.say(c.StartCharging(PILE, None, NUMBER, 1, "0" * 16, None, 50_000))
        site.run(1_900_000)
        assert site.of(e.RecordReceived) == []
        site.say(c.AskRecord(PILE, None, 1, NUMBER))
        site.pump()
        assert [record.serial for record in site.of(e.RecordReceived)] == [NUMBER]
        assert site.pile.queue.unasked == 0, "what was asked for is not acknowledged"


def test_rates_count_periods_from_midnight():
    from gateway.simulator.aaf5 import _period

    rates = Rates("0000", ((1, 0), (2, 0)), (0,) * 10 + (1,) * 10 + (0,) * 28)
    assert [_period(rates, slot) for slot in (0, 9, 10, 19, 20, 47)] == [0, 0, 1, 1, 2, 2]


def test_a_pile_that_nobody_answers_gives_up_in_the_end():
    pile = Aaf5Pile(PilePlan(PILE, "DC", ((VISIT,),), protocol="aaf5-sh52"), 1, AT_MS)
    for number in range(30):
        pile.on_link_opened(AT_MS + number * 2_000)
        assert pile.take_outgoing()
        pile.on_link_closed(AT_MS + number * 2_000 + 50)
    assert not pile.is_refused
    pile.on_link_opened(AT_MS + 70_000)
    assert (pile.is_refused, pile.is_finished, pile.take_outgoing()) == (True, True, [])
