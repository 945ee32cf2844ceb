"""Decisions on the command line, in the database of a stopped daemon and through a running one."""

import json

import pytest
from click.testing import CliRunner

from gateway.cli import cli
from gateway.errors import GatewayError
from tests.support.billed import SITE, pilegate, replayed
from tests.support.daemon import Daemon
from tests.support.operator import list_accounts
from tests.support.site import write_config

SERIAL = "55031412782305012603031030000001"
WHY = ("--reason", "the driver was right")


@pytest.fixture
def run(tmp_path):
    db = replayed(tmp_path / "a.db", "record-never-comes")

    def _run(*arguments, status=0):
        done = CliRunner().invoke(cli, [*arguments, "--config", str(SITE), "--db", str(db)])
        found = done.exception if isinstance(done.exception, GatewayError) else None
        assert (3 if found else done.exit_code) == status, (done.output, done.exception)
        return f"{done.stdout}{done.stderr}{found or ''}"

    return _run


def test_two_people_decide_and_the_bill_tells(run):
    told = run("decide", "waive", SERIAL, *WHY, "--by", "li")
    assert "57.65 yuan are at stake, another person must agree" in told
    decision_id = told.split(":")[0]
    assert decision_id in run("decide", "list")
    assert "somebody else must agree" in run("decide", "confirm", decision_id, "--by", "li", status=3)
    assert "revision 2 is in force" in run("decide", "confirm", decision_id, "--by", "wang")
    bill = json.loads(run("bill", SERIAL, "--json"))
    assert (bill["status"], bill["payable"], bill["revision"]) == ("void", "0.00", 2)
    listed = json.loads(run("decide", "list", "--bill", SERIAL, "--json"))
    assert (listed["proposer"], listed["approver"], listed["state"]) == ("li", "wang", "effective")
    assert "is effective already" in run("decide", "reject", decision_id, "--by", "li", status=3)


def test_sources_are_named_and_one_is_chosen(run):
    assert "last_sample" in run("decide", "sources", SERIAL)
    told = run("decide", "source", SERIAL, "last_sample", *WHY, "--by", "li")
    run("decide", "confirm", told.split(":")[0], "--by", "wang")
    assert json.loads(run("bill", SERIAL, "--json"))["basis"]["energy"] == "last_sample"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("waive", SERIAL, *WHY), 3, "say who you are"),
        (("waive", "nobody", *WHY, "--by", "li"), 3, "nobody does not exist"),
        (("amount", SERIAL, "x", *WHY, "--by", "li"), 2, "not a plain decimal"),
        (("amount", SERIAL, "1.00", *WHY, "--by", "li"), 3, "your own two sentences"),
        (("waive", SERIAL, "--by", "li"), 2, "--reason"),
        (("split", SERIAL, "noon", *WHY, "--by", "li"), 3, "not an ISO 8601 time"),
        (("confirm", "nobody", "--by", "li"), 3, "nobody does not exist"),
    ],
)
def test_what_cannot_be_decided_says_why(run, arguments, status, said):
    assert said in run("decide", *arguments, status=status)


def test_a_running_daemon_decides_itself(tmp_path):
    token = list_accounts(tmp_path)
    replayed(tmp_path / "pilegate.db", "card-start-across-midnight")  # 14.19 yuan
    config = write_config(tmp_path, 1)
    daemon = Daemon(config)

    def decide(key, token):
        return pilegate("decide", "waive", key, *WHY, "--config", config, PILEGATE_TOKEN=token)

    try:
        daemon.start()
        text = config.read_text().replace('[api]\nhost = "127.0.0.1"\nport = 0', f"[api]\nport = {daemon.api_port}")
        config.write_text(text)
        done = decide("55031412782305022603032345000001", token)
        assert (done.returncode, "revision 2 is in force" in done.stdout) == (0, True), done.stderr
        done = decide("nobody", token)
        assert (done.returncode, "bill nobody does not exist" in done.stderr) == (3, True), done.stderr
        done = decide("nobody", "")
        assert (done.returncode, "give --token" in done.stderr) == (3, True), done.stderr
    finally:
        daemon.close()
    assert [row["actor"] for row in daemon.rows("SELECT actor FROM bill ORDER BY revision")] == ["engine", "tests"]
