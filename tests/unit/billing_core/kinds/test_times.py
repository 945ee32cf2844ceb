import pytest

from billing_core.findings import EPOCH_2016_MS
from billing_core.kinds import times
from tests.support.evidence import ARRIVED, DAY, END, HOUR, MINUTE, START, TEN, charging, codes, found

CLOCK = 180_000


def held(predicate, **changes):
    return found(predicate, **changes) is not None


def test_the_clean_charge_has_no_anomaly_at_all():
    assert codes() == set()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"started_ms": None, "started_fault": "zero_date"}, "as start time"),
        ({"ended_ms": None, "ended_fault": "zero_date"}, "as end time"),
        (
            {"started_ms": None, "started_fault": "zero_date", "ended_ms": None, "ended_fault": "zero_date"},
            "as start and end time",
        ),
    ],
)
def test_an_empty_date_is_named_by_its_end(changes, said):
    assert said in found(times.time_zero_date, record=changes)[0]
    assert not held(times.time_invalid_field, record=changes)


def test_an_impossible_field_is_no_empty_date():
    changes = {"ended_ms": None, "ended_fault": "invalid_field"}
    assert found(times.time_invalid_field, record=changes)[0] == "The charger sent an impossible end time."
    assert not held(times.time_zero_date, record=changes)


@pytest.mark.parametrize(("started_ms", "holds"), [(EPOCH_2016_MS - 1, True), (EPOCH_2016_MS, False)])
def test_before_2016_a_clock_was_reset(started_ms, holds):
    assert held(times.time_epoch_reset, record={"started_ms": started_ms}) is holds


@pytest.mark.parametrize(("commissioned_ms", "holds"), [(TEN, False), (TEN + 1, True)])
def test_before_its_commissioning_a_pile_had_no_clock(commissioned_ms, holds):
    assert held(times.time_epoch_reset, pile={"commissioned_ms": commissioned_ms}) is holds


@pytest.mark.parametrize(("ahead_ms", "holds"), [(CLOCK, False), (CLOCK + 1, True)])
@pytest.mark.parametrize("field", ["started_ms", "ended_ms"])
def test_a_time_behind_the_arrival_is_in_the_future(field, ahead_ms, holds):
    assert held(times.time_future, record={field: ARRIVED + ahead_ms}) is holds


def test_the_future_is_told_in_seconds():
    said = found(times.time_future, record={"ended_ms": ARRIVED + 200_999})
    assert said == ("The charger's times lie 200 s after the record's arrival.", "充电桩时间晚于账单到达时间200秒。")


@pytest.mark.parametrize(("ended_ms", "holds"), [(TEN, False), (TEN - 1, True)])
def test_reversed_means_that_the_end_lies_before_the_start(ended_ms, holds):
    assert held(times.time_reversed, record={"ended_ms": ended_ms}) is holds


@pytest.mark.parametrize(("off_ms", "holds"), [(CLOCK, False), (CLOCK + 1, True)])
def test_a_skew_is_beyond_the_tolerance_at_both_ends(off_ms, holds):
    changes = {"started_ms": START - off_ms, "ended_ms": END - off_ms}
    assert held(times.time_clock_skew, record=changes) is holds


@pytest.mark.parametrize(("apart_ms", "holds"), [(60_000, True), (60_001, False), (-60_000, True), (-60_001, False)])
def test_the_two_offsets_of_a_skew_agree_within_a_minute(apart_ms, holds):
    changes = {"started_ms": START - 10 * MINUTE, "ended_ms": END - 10 * MINUTE + apart_ms}
    assert held(times.time_clock_skew, record=changes) is holds


@pytest.mark.parametrize(
    ("off_ms", "is_zone"),
    [
        (HOUR, True),
        (30 * MINUTE, True),
        (30 * MINUTE - 90_000, True),
        (30 * MINUTE - 90_001, False),
        (30 * MINUTE + 90_000, True),
        (30 * MINUTE + 90_001, False),
        (4 * MINUTE, False),
    ],
)
def test_whole_half_hours_hint_at_the_time_zone(off_ms, is_zone):
    said = found(times.time_clock_skew, record={"started_ms": START - off_ms, "ended_ms": END - off_ms})
    assert ("(perhaps its time zone)" in said[0]) is is_zone
    assert ("(可能为时区设置错误)" in said[1]) is is_zone


def test_a_skew_of_times_that_cannot_be_is_none():
    assert not held(
        times.time_clock_skew, record={"started_ms": START - 60 * 365 * DAY, "ended_ms": END - 60 * 365 * DAY}
    )


@pytest.mark.parametrize(
    ("start_off", "end_off", "holds"),
    [
        (CLOCK, 0, False),
        (-CLOCK - 1, 0, True),
        (0, -CLOCK, False),
        (0, -CLOCK - 1, True),
        (-CLOCK - 1, -CLOCK - 1, False),
    ],
)
def test_a_step_is_one_end_that_is_off(start_off, end_off, holds):
    changes = {"started_ms": START + start_off, "ended_ms": END + end_off}
    assert held(times.time_step_mid_session, record=changes) is holds


def test_a_step_names_the_end_and_its_seconds():
    at_edge = {"started_ms": START - CLOCK, "ended_ms": END - CLOCK - 1}
    assert found(times.time_step_mid_session, record=at_edge)[0].startswith("The record's end is 180 s away")
    assert found(times.time_step_mid_session, record={"started_ms": START - 200_000})[0] == (
        "The record's start is 200 s away from what the gateway saw."
    )
    assert found(times.time_step_mid_session, record={"ended_ms": END - 200_000})[1] == (
        "账单结束时间与网关记录相差200秒。"
    )


# -- an end that nobody saw ------------------------------------------------------------------------------

LAST = TEN + 39 * MINUTE
IDLE = TEN + 60 * MINUTE  # a login


def unseen(ended_ms, **more):
    """The link was lost behind the last sample, a login is the first proof, the record came after it."""
    return {
        "samples": charging(),
        "login_at_ms": IDLE,
        "record": {"rx_ms": IDLE + 5_000, "started_ms": START, "ended_ms": ended_ms, **more},
    }


@pytest.mark.parametrize(
    ("ended_ms", "holds"),
    [
        (LAST - CLOCK, False),
        (LAST - CLOCK - 1, True),
        (IDLE + CLOCK, False),
        (IDLE + CLOCK + 1, True),
        (LAST + 10 * MINUTE, False),
    ],
)
def test_between_the_last_sample_and_the_proof_no_end_is_off(ended_ms, holds):
    assert held(times.time_step_mid_session, **unseen(ended_ms)) is holds


@pytest.mark.parametrize(
    ("ended_ms", "holds"),
    [
        (LAST - 120_000, False),
        (LAST - 120_001, True),
        (IDLE + 120_000, False),
        (IDLE + 120_001, True),
    ],
)
def test_a_duration_has_room_up_to_the_proof(ended_ms, holds):
    assert held(times.duration_mismatch, **unseen(ended_ms)) is holds


@pytest.mark.parametrize("off_ms", [120_000, -120_000])
@pytest.mark.parametrize("more", [0, 1])
def test_a_duration_may_be_two_minutes_off(off_ms, more):
    off_ms += more if off_ms > 0 else -more
    changes = {"started_ms": START - off_ms, "ended_ms": END}
    assert held(times.duration_mismatch, record=changes) is bool(more)


def test_a_long_sample_period_widens_the_duration():
    changes = {"started_ms": START - 240_000, "ended_ms": END}
    assert held(times.duration_mismatch, record=changes)
    assert not held(times.duration_mismatch, record=changes, tolerances={"sample_period_ms": 120_000})


@pytest.mark.parametrize(("energy", "holds"), [(100, False), (101, True)])
def test_energy_in_no_time_is_more_than_a_register_hides(energy, holds):
    assert held(times.zero_duration_with_energy, record={"ended_ms": TEN, "energy": energy}) is holds


def test_a_second_is_some_time():
    assert not held(times.zero_duration_with_energy, record={"ended_ms": TEN + 1})


@pytest.mark.parametrize(("behind_ms", "holds"), [(30_000, False), (30_001, True)])
def test_late_is_more_than_half_a_minute_behind_the_end(behind_ms, holds):
    assert held(times.late_upload, record={"rx_ms": END + behind_ms}) is holds


def test_lateness_stands_alone_or_not_at_all():
    late = {"rx_ms": END + 60_000}
    assert codes(record=late) == {"late_upload", "record_due_late"}
    assert "late_upload" not in codes(record={**late, "ended_ms": END - CLOCK - 1})


STAMPED = TEN - 10_000  # what the transaction number says


@pytest.mark.parametrize(("off_ms", "holds"), [(-DAY, False), (-DAY - 1, True)])
def test_the_number_s_time_is_within_a_day_of_the_start(off_ms, holds):
    assert held(times.serial_time_conflict, record={"started_ms": STAMPED + off_ms}) is holds


@pytest.mark.parametrize(
    "number",
    [
        "5503141278230501260303095950000",  # a digit short
        "55031412782306012603030959500001",  # another pile
        "550314127823050126030309595000AB",  # no number
        "55031412782305012603330959500001",  # no such day
    ],
)
def test_a_number_of_another_layout_tells_no_time(number):
    changes = {"transaction_id": number, "record": {"started_ms": STAMPED - 2 * DAY, "serial": number}}
    assert not held(times.serial_time_conflict, **changes)


def test_an_implausible_start_conflicts_with_nothing():
    late = STAMPED + 2 * DAY
    assert held(times.serial_time_conflict, record={"rx_ms": late, "started_ms": late + CLOCK})
    assert not held(times.serial_time_conflict, record={"rx_ms": late, "started_ms": late + CLOCK + 1})
    assert not held(times.serial_time_conflict, record={"started_ms": EPOCH_2016_MS - 1})
    assert not held(times.serial_time_conflict, record={"started_ms": ARRIVED + 2 * DAY})


def test_no_record_has_no_times():
    predicates = [
        getattr(times, name) for name in dir(times) if name.startswith(("time_", "duration_", "zero_", "late_"))
    ]
    assert len(predicates) == 10
    assert [each for each in predicates if held(each, record=None)] == []
