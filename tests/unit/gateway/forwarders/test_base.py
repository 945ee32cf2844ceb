"""The schedule, the breaker, and what an answer means."""

import pytest

from gateway.forwarders.base import Breaker, Delivery, DrainConfig

CONFIG = DrainConfig(breaker_failures=3, breaker_first_s=10, breaker_max_s=40)


@pytest.mark.parametrize(
    ("status", "is_done", "blames"),
    [(200, True, False), (204, True, False), (299, True, False), (302, False, False), (404, False, False),
     (410, False, False), (422, False, False), (429, False, True), (500, False, True), (503, False, True),
     (None, False, True)],
)  # fmt: skip
def test_what_an_answer_means(status, is_done, blames):
    delivery = Delivery(status)
    assert (delivery.is_done, delivery.blames_endpoint) == (is_done, blames)


def test_the_breaker_opens_doubles_and_closes():
    breaker = Breaker(CONFIG)
    for n in range(3):
        assert breaker.state(0) == "closed"
        breaker.count(f"e{n}", Delivery(500), 0)
    assert breaker.state(9_999) == "open"
    assert breaker.state(10_000) == "half_open"
    breaker.count("e3", Delivery(None), 10_000)
    assert breaker.state(29_999) == "open"
    breaker.count("e3", Delivery(500), 30_000)
    breaker.count("e3", Delivery(500), 70_000)
    assert breaker.state(109_999) == "open"
    assert breaker.state(110_000) == "half_open", "never longer than the longest"
    breaker.count("e3", Delivery(204), 110_000)
    assert breaker.state(110_000) == "closed"
    breaker.count("e4", Delivery(500), 110_000)
    assert breaker.state(110_000) == "closed"


def test_one_refused_event_opens_nothing_but_three_that_are_unwelcome_do():
    breaker = Breaker(CONFIG)
    for _ in range(20):
        breaker.count("e1", Delivery(422), 0)
        breaker.count("e1", Delivery(404), 0)
    assert breaker.state(0) == "closed"
    breaker.count("e2", Delivery(401), 0)
    assert breaker.state(0) == "closed"
    breaker.count("e3", Delivery(403), 0)
    assert breaker.state(0) == "open"


def test_a_success_in_between_makes_them_welcome_again():
    breaker = Breaker(CONFIG)
    for event_id in ("e1", "e2"):
        breaker.count(event_id, Delivery(404), 0)
    breaker.count("e9", Delivery(200), 0)
    breaker.count("e3", Delivery(404), 0)
    assert breaker.state(0) == "closed"


@pytest.mark.parametrize("wrong", [{"schedule_s": ()}, {"schedule_s": (-1,)}, {"concurrency": 0}])
def test_a_schedule_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="schedule_s holds waits"):
        DrainConfig(**wrong)
