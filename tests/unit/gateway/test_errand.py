from gateway.errand import errand_for
from tests.support.replays import story

SERIAL = "55031412782305012603031030000001"
T0_MS = 1_772_505_000_000  # 2026-03-03T10:30:00+08:00
LATER_MS = T0_MS + 86_400_000


def errand(*names, key=SERIAL):
    sessions = story(*names).engine.sessions
    return errand_for(sessions.evidence(sessions.find(key), LATER_MS))


def test_the_sheet_says_where_when_and_what_each_reading_comes_to():
    sheet = errand("app-start-across-two-rates")
    assert (sheet.pile_id, sheet.connector, sheet.station) == ("55031412782305", 1, "demo")
    assert sheet.from_ms < T0_MS < sheet.to_ms
    assert (sheet.to_ms - sheet.from_ms) > 20 * 60_000
    by_name = {each.source: (each.energy_e4kwh, each.amount_fen) for each in sheet.alternatives}
    assert by_name["record_total"] == (400_000, 5_803)
    assert by_name["last_sample"][0] < 400_000
    assert sheet.records == (SERIAL,)


def test_the_deciding_energy_lies_between_the_two_best_alternatives():
    sheet = errand("app-start-across-two-rates")
    energies = sorted({each.energy_e4kwh for each in sheet.alternatives})
    assert energies[0] < sheet.deciding_e4kwh < energies[-1]


def test_a_charge_without_a_record_has_its_live_data_alone():
    sheet = errand("record-never-comes")
    assert sheet.records == ()
    assert sheet.alternatives[0].source == "last_sample"
    assert sheet.window_e4kwh is not None


def test_a_record_without_live_data_has_a_time_to_look_for():
    sheet = errand("record-of-an-unknown-transaction", key="9" * 32)
    noon_ms, arrived_ms = T0_MS + 90 * 60_000, T0_MS + 180 * 60_000 + 2_000  # at 13:30:02
    assert (sheet.from_ms, sheet.to_ms) == (noon_ms - 600_000, arrived_ms + 600_000)
    assert sheet.window_e4kwh is None
