"""The listener without a broker: messages in by hand, what it publishes in a list."""

import json
from collections.abc import Callable

import pytest

from gateway.listeners.mqtt import MqttListenConfig, MqttListener
from gateway.metrics import Metrics
from gateway.pipeline import LimitsConfig
from protocol.events import FrameRefused
from protocol.link import Link
from tests.support.wire import heartbeat, login, record, sample, start_request

PILE, OTHER = "55031412782305", "55031412782306"
UP, DOWN, STATE = (f"pile/v1/ykc/{PILE}/{end}" for end in ("up", "down", "state"))
NOW_MS = 1_772_509_200_000


class Clock:
    def __init__(self):
        self.at_ms = NOW_MS

    def now_ms(self):
        return self.at_ms


class StubBroker:
    def __init__(self):
        self.is_connected = True
        self.published = []
        self.subscribed = []
        self.dropped = []
        self.agrees: Callable = lambda topic: True

    def publish(self, message, done=None):
        self.published.append(message)
        return self.is_connected

    def subscribe(self, filters, done):
        self.subscribed += filters
        done([self.agrees(each) for each in filters])

    def drop(self, reason):
        self.dropped.append(reason)


class StubPipeline:
    """Keeps bytes; answers and closes when told."""

    def __init__(self, no, address, write, hang_up, only_pile, protocol):
        self.no, self.address, self.write, self.hang_up, self.only_pile = no, address, write, hang_up, only_pile
        self.heard = []
        self.is_closed = False
        self.closes_on = None
        self.checked = 0

    def received(self, data, at_ms):
        self.heard.append(data)
        self.write(data)
        if self.closes_on == data:
            self.close("rubbish")
            self.heard.append(b"the rest of the read")

    def close(self, reason):
        self.hang_up()

    def closed(self, at_ms):
        self.is_closed = True

    def check(self, at_ms):
        self.checked += 1


class Desk:
    def __init__(self, **config):
        self.clock = Clock()
        self.metrics = Metrics()
        self.pipelines = []
        numbers = iter(range(1, 10_000))
        self.listener = MqttListener(
            MqttListenConfig("gw", **config),
            LimitsConfig(links_max=3),
            self.clock,
            self._make,
            numbers.__next__,
            self.metrics,
        )
        self.broker = self.listener.broker = StubBroker()

    def _make(self, *args):
        self.pipelines.append(StubPipeline(*args))
        return self.pipelines[-1]

    def say(self, topic, payload, *, is_retained=False):
        self.listener.on_message(topic, payload, is_retained=is_retained)

    @property
    def refused(self):
        return dict(self.metrics.refused)


def test_a_message_opens_a_link_named_by_its_topic_and_the_answer_goes_back():
    desk = Desk()
    desk.say(UP, b"one")
    desk.say(UP, b"two")
    (pipeline,) = desk.pipelines
    assert (pipeline.address, pipeline.only_pile, pipeline.heard) == (UP, PILE, [b"one", b"two"])
    sent = desk.broker.published
    assert [(m.topic, m.payload, m.qos, m.is_retained, m.expires_s) for m in sent] == [
        (DOWN, b"one", 1, False, 10),
        (DOWN, b"two", 1, False, 10),
    ]


def test_without_expiry_orders_do_not_wait_in_the_broker():
    for config, qos in (
        ({"protocol_version": "3.1.1"}, 0),
        ({"protocol_version": "3.1.1", "has_clean_piles": True}, 1),
    ):
        desk = Desk(**config)
        desk.say(UP, b"one")
        assert desk.broker.published[0].qos == qos


@pytest.mark.parametrize(
    ("topic", "payload", "is_retained", "code"),
    [
        (UP, b"stale", True, "retained"),
        (UP, bytes(8_193), False, "oversized"),
        ("pile/v1/ykc/一号/up", b"x", False, "topic_invalid"),
        (STATE, b"gone", False, "presence_unreadable"),
    ],
)
def test_what_is_no_frame_is_named_and_counted(topic, payload, is_retained, code):
    desk = Desk()
    desk.say(topic, payload, is_retained=is_retained)
    assert desk.refused == {code: 1}
    assert desk.pipelines == []
    desk.say(UP, b"good")
    desk.say(topic, payload, is_retained=is_retained)
    assert desk.refused == {code: 2}
    assert desk.pipelines[0].heard == [b"good"]


def test_an_encoding_is_used_both_ways_and_its_breach_counted():
    desk = Desk(encoding="json", json_member="data")
    desk.say(UP, b'{"data": "680C", "t": 5}')
    assert desk.pipelines[0].heard == [b"\x68\x0c"]
    assert json.loads(desk.broker.published[0].payload) == {"data": "680C"}
    desk.say(UP, b"\x68\x0c")
    assert desk.refused == {"encoding": 1}


@pytest.mark.parametrize("payload", [b'{"online":false,"reason":"will"}', b'{"online":false,"reason":"bye"}'])
def test_an_offline_mark_closes_the_link_and_the_next_message_opens_another(payload):
    desk = Desk()
    desk.say(STATE, payload, is_retained=True)  # nobody here yet: it proves nothing
    desk.say(UP, b"one")
    desk.say(STATE, b'{"online":true}', is_retained=True)
    assert not desk.pipelines[0].is_closed
    desk.say(STATE, payload)
    assert desk.pipelines[0].is_closed
    assert not desk.listener.links
    desk.say(UP, b"two")
    assert [p.no for p in desk.pipelines] == [1, 2]


def test_the_will_of_a_concentrator_is_that_of_all_its_piles():
    desk = Desk()
    for pile in ("p1", "p2"):
        desk.say(f"pile/v1/ykc/hub/h1/{pile}/up", b"x")
    desk.say("pile/v1/ykc/hub/h2/p3/up", b"x")
    desk.say("pile/v1/ykc/hub/h1/state", b'{"online":false}')
    assert [p.is_closed for p in desk.pipelines] == [True, True, False]


def test_a_topic_that_was_closed_for_what_it_sent_rests():
    desk = Desk()
    desk.say(UP, b"one")
    desk.pipelines[0].closes_on = b"bad"
    desk.say(UP, b"bad")
    assert desk.pipelines[0].heard[-1] == b"the rest of the read"
    assert desk.pipelines[0].is_closed
    desk.say(UP, b"again")
    assert desk.refused == {"link_resting": 1}
    desk.clock.at_ms += 5_001
    desk.say(UP, b"again")
    assert desk.pipelines[1].heard == [b"again"]


def test_links_are_bounded():
    desk = Desk()
    for number in range(5):
        desk.say(f"pile/v1/ykc/{number}/up", b"x")
    assert len(desk.listener.links) == 3
    assert desk.refused == {"too_many_links": 2}


def test_an_absent_broker_makes_no_link_silent():
    desk = Desk()
    desk.say(UP, b"one")
    desk.listener.on_connected(has_session=False)
    list(desk.listener.check(desk.clock.at_ms))
    assert desk.pipelines[0].checked == 1
    desk.broker.is_connected = False
    desk.listener.on_lost("reset")
    list(desk.listener.check(desk.clock.at_ms))
    desk.broker.is_connected = True
    desk.listener.on_connected(has_session=True)
    list(desk.listener.check(desk.clock.at_ms))
    assert desk.pipelines[0].checked == 1
    desk.clock.at_ms += LimitsConfig().idle_timeout_ms
    list(desk.listener.check(desk.clock.at_ms))
    assert desk.pipelines[0].checked == 2
    assert dict(desk.metrics.broker_losses) == {"reset": 1}


def test_it_subscribes_first_and_then_tells_that_it_is_here():
    desk = Desk(share_group="g")
    desk.listener.on_connected(has_session=False)
    assert desk.broker.subscribed[0] == "$share/g/pile/v1/+/+/up"
    assert "pile/v1/+/+/state" in desk.broker.subscribed  # a shared subscription gets nothing retained
    (told,) = desk.broker.published
    assert told.topic in desk.broker.subscribed
    assert (told.topic, told.is_retained, json.loads(told.payload)["online"]) == (
        "pile/v1/gateway/gw/state",
        True,
        True,
    )


def test_of_what_waited_at_the_broker_only_logins_and_records_count():
    desk = Desk()
    desk.listener.on_connected(has_session=True)
    (mark,) = desk.broker.published
    samples = [sample("0" * 32, PILE), start_request(PILE), heartbeat(PILE)]
    kept = [login(PILE), record("1" * 32, PILE, start=None, end=None, tiers=[(0, 0, 0)] * 4, meter=(0, 0))]
    for payload in samples + kept:
        desk.say(UP, payload)
    assert desk.refused == {"late": 3}
    desk.say(mark.topic, mark.payload, is_retained=True)  # that of our former life
    desk.say(UP, samples[0])
    assert desk.refused == {"late": 4}
    desk.say(mark.topic, mark.payload)
    desk.say(UP, samples[0])
    assert desk.pipelines[0].heard == [*kept, samples[0]]


def test_without_a_session_nothing_waited_and_a_mark_that_never_comes_is_not_waited_for():
    desk = Desk()
    desk.listener.on_connected(has_session=False)
    desk.say(UP, heartbeat(PILE))
    desk.listener.on_connected(has_session=True)
    desk.clock.at_ms += 30_000
    desk.say(UP, heartbeat(PILE))
    assert desk.refused == {}
    assert len(desk.pipelines[0].heard) == 2


def test_a_refused_subscription_is_no_connection():
    desk = Desk()
    desk.broker.agrees = lambda topic: "hub" not in topic
    desk.listener.on_connected(has_session=False)
    assert desk.broker.dropped == ["the broker refused pile/v1/+/hub/+/+/up"]
    assert desk.broker.published == []


def test_processes_serve_their_own_piles_and_a_share_group_hands_on():
    topics = [f"pile/v1/ykc/{number}/up" for number in range(3)]
    mine = []
    for no in range(2):
        desk = Desk(node_count=2, node_no=no)
        for topic in topics:
            desk.say(topic, b"x")
        assert all(m.topic.endswith("/down") for m in desk.broker.published)
        mine.append({p.address for p in desk.pipelines})
    assert mine[0] | mine[1] == set(topics)
    assert not mine[0] & mine[1]
    one, two = (Desk(node_count=2, node_no=no, share_group="g") for no in range(2))
    for topic in topics:
        one.say(topic, b"x")
    handed = [m for m in one.broker.published if "relay" in m.topic]
    assert {m.topic for m in handed} == {f"pile/v1/gateway/relay/1/{topic}" for topic in mine[1]}
    for message in handed:
        two.say(message.topic, message.payload)
    assert {p.address for p in two.pipelines} == mine[1]


def test_what_was_handed_on_to_the_wrong_process_does_not_go_in_circles():
    desk = Desk(node_count=2, node_no=0, share_group="g")
    astray = next(t for t in (f"pile/v1/ykc/{n}/up" for n in range(9)) if desk.listener._place(t).share_no(2) == 1)
    desk.say(f"pile/v1/gateway/relay/0/{astray}", b"x")
    assert desk.refused == {"relayed_astray": 1}
    assert desk.broker.published == []


def test_what_cannot_leave_now_never_does():
    desk = Desk()
    desk.broker.is_connected = False
    desk.say(UP, b"one")
    assert desk.refused == {"unsent": 1}


@pytest.mark.parametrize(
    "config",
    [
        {"url": "http://x"},
        {"url": "mqtt://u:p@x"},
        {"protocol_version": "4"},
        {"encoding": "xml"},
        {"node_no": 1},
        {"route": ()},
        {"share_group": "a/b"},
        {"receive_max": 0},
    ],
)
def test_configurations_that_cannot_be_are_refused(config):
    with pytest.raises(ValueError, match=r"\w"):
        MqttListenConfig("gw", **config)


def test_a_link_that_knows_its_pile_is_not_changed_by_another():
    link = Link(only_pile=PILE)
    (accepted,) = link.receive(login(PILE), NOW_MS)
    (refused,) = link.receive(login(OTHER, version=10), NOW_MS)
    assert isinstance(refused, FrameRefused)
    assert (refused.code, refused.raw) == ("other_pile", login(OTHER, version=10))
    assert (link.pile_id, link.protocol) == (PILE, accepted.protocol)
    assert link.receive(heartbeat(PILE), NOW_MS)[0].pile_id == PILE
