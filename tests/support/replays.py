"""Stories under fixtures/replays, replayed within the test."""

import json

from billing_core.timers import Timers
from gateway.framelog import read_log
from gateway.replay import Replay
from gateway.site import site_from_file
from gateway.tomlfile import TomlFile
from tests.support.billed import REPLAYS, SITE


def story(*names, until_ms=None):
    """The replay of some stories, one behind the other in the order given."""
    site = site_from_file(TomlFile.read(SITE))
    replay = Replay(site, Timers(), silence_ms_max=30_000, on_finding=lambda finding: None)
    for name in names:
        replay.run(read_log(REPLAYS / name / "log.jsonl"))
    if until_ms is not None:
        replay.run([], until_ms=until_ms)
    return replay


def newest(replay):
    """How the newest revision of a bill is found in a replay."""
    return lambda key: next((row for row in replay.bills() if row.transaction_id == key), None)


def document(replay, key):
    """The newest bill of a transaction."""
    return json.loads(newest(replay)(key).body)
