from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics


def samples(metrics):
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_counts_come_out_by_their_label():
    metrics = Metrics()
    metrics.volume.received = 5
    metrics.count_frame("SampleReceived")
    metrics.count_frame("SampleReceived")
    metrics.count_refused("crc")
    metrics.count_closed('a "quoted" reason\n')
    metrics.bills["normal"] += 1
    metrics.orders[("Reboot", "accepted")] += 1
    metrics.deliveries[("a", "delivered")] += 3
    found = samples(metrics)
    assert found[("pilegate_received_bytes_total", ())] == 5
    assert found[("pilegate_frames_total", (("fact", "SampleReceived"),))] == 2
    assert found[("pilegate_refused_frames_total", (("reason", "crc"),))] == 1
    assert found[("pilegate_closed_links_total", (("reason", 'a "quoted" reason\n'),))] == 1
    assert found[("pilegate_bills_total", (("status", "normal"),))] == 1
    assert found[("pilegate_orders_total", (("kind", "Reboot"), ("result", "accepted")))] == 1
    assert found[("pilegate_deliveries_total", (("result", "delivered"), ("upstream", "a")))] == 3


def test_gauges_are_asked_when_somebody_looks():
    metrics = Metrics()
    values = iter([1, 2])
    metrics.gauges["links"] = ("Open links", lambda: next(values))
    assert samples(metrics)[("pilegate_links", ())] == 1
    assert samples(metrics)[("pilegate_links", ())] == 2


def test_the_outbox_tells_what_waits_and_since_when():
    metrics = Metrics()
    metrics.outbox = [
        {"endpoint": "a", "state": "pending", "entries": 4, "oldest_at_ms": 10_000},
        {"endpoint": "a", "state": "dead", "entries": 1, "oldest_at_ms": 0},
    ]
    metrics.at_ms = 70_000
    found = samples(metrics)
    assert found[("pilegate_outbox_entries", (("state", "pending"), ("upstream", "a")))] == 4
    assert found[("pilegate_outbox_entries", (("state", "dead"), ("upstream", "a")))] == 1
    assert found[("pilegate_outbox_oldest_pending_seconds", (("upstream", "a"),))] == 60


def test_two_daemons_of_one_process_count_apart():
    one, other = Metrics(), Metrics()
    one.volume.sent = 9
    assert samples(other)[("pilegate_sent_bytes_total", ())] == 0
