from billing_core.session import pack_states
from gateway.outcome import RecordStored, SamplesTaken
from gateway.sessionrows import notice, record_row, samples_row, session_event
from tests.support.yard import BEGIN, DAY_MS, MINUTE, PILE, SERIAL, Yard, record, sample


def begun():
    yard = Yard()
    yard.start(parallel_no="7")
    yard.tell(sample(BEGIN, 0))
    return yard.sessions.find(SERIAL)


def test_an_event_of_a_session_has_a_key_built_from_the_fact():
    event = session_event("ended", begun(), 5)
    assert (event.event_id, event.type, event.at_ms) == (f"session-ended-{SERIAL}", "pilegate.session.ended", 5)
    assert (event.subject, event.partition, event.is_perishable) == (SERIAL, SERIAL, False)
    assert event.data == {
        "transaction_id": SERIAL,
        "order_no": "20260303082900000001",
        "pile_id": PILE,
        "connector": 1,
        "start_channel": "app",
        "state": "charging",
        "parallel_no": "7",
    }


def test_a_notice_names_the_connector_that_is_charged_on():
    session = begun()
    session.sample_connector = 2
    found = notice("progress", session, 5, soc_percent=50)
    assert (found.type, found.subject, found.at_ms) == ("pilegate.session.progress", SERIAL, 5)
    assert found.data == {"pile_id": PILE, "connector": 2, "soc_percent": 50}


def test_states_are_kept_once():
    session = begun()
    assert samples_row(session.core) is None  # the engine took them
    session.core.take_sample(DAY_MS + BEGIN + MINUTE, 8_000, 9_600, 4_800, 1_000, 21, True)
    state = (DAY_MS + BEGIN + MINUTE, 8_000, 9_600, 4_800, 1_000, 21, True, True)
    assert samples_row(session.core) == SamplesTaken(SERIAL, *pack_states([state]))
    assert samples_row(session.core) is None


def test_a_record_is_kept_under_its_session_with_the_digits_of_the_wire():
    event = record()
    assert record_row("key", event, "hash", "ykc-1.6") == RecordStored(
        "key", SERIAL, event.at_ms, PILE, 1, "ykc-1.6", "standard", 0x3B, "hash", event.body
    )
