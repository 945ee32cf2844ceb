import csv
import json

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

from gateway.cli import cli
from tests.support.billed import SITE, replayed

DAY = "2026-03-03"


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    return replayed(
        tmp_path_factory.mktemp("reports") / "a.db",
        "app-start-across-two-rates",
        "card-start-across-midnight",
        "record-of-an-unknown-transaction",
    )


@pytest.fixture
def run(db, tmp_path):
    config = tmp_path / "gateway.toml"
    text = SITE.read_text() + '\n[reconcile]\ncolumn_key = "serial"\ncolumn_energy = "kWh"\ncolumn_amount = "yuan"\n'
    config.write_text(text)

    def _run(*arguments, status=0):
        done = CliRunner().invoke(cli, [*map(str, arguments), "--config", str(config), "--db", str(db)])
        assert done.exit_code == status, (done.output, done.exception)
        return done.stdout

    return _run


def test_the_report_in_words_as_json_and_as_a_workbook(run, tmp_path):
    told = run("report", "abnormal", "--since", DAY, "--until", "2026-03-05", "--by", "code")
    assert told.startswith("3 sessions, 1 abnormal (333.3 per 1,000): 0 decided by rule, 0 by people, 1 waiting")
    assert "record_orphan_serial" in told
    path = tmp_path / "abnormal.xlsx"
    shown = json.loads(
        run("report", "abnormal", "--since", DAY, "--until", "2026-03-05", "--by", "station", "--json", "--xlsx", path)
    )
    assert [(group["key"], group["sessions"]) for group in shown["groups"]] == [("demo", 3)]
    assert sum(each["sessions"] for each in shown["connectors"]) == 3
    assert len(load_workbook(path).sheetnames) == 4


def test_a_period_before_everything_is_empty(run):
    shown = json.loads(run("report", "abnormal", "--since", "2025-01-01", "--until", "2025-02-01", "--json"))
    assert (shown["total"]["sessions"], shown["groups"]) == (0, [])
    assert shown["since"] == "2025-01-01T00:00:00.000+08:00"


@pytest.mark.parametrize("since", ["yesterday", "2026-03-03T00:00:00"])
def test_a_period_must_be_a_day_or_a_moment_with_its_offset(run, since):
    assert run("report", "abnormal", "--since", since, status=1) == ""  # a ConfigError, told by main() with status 2


def bills_of(run):
    return [json.loads(line) for line in run("bills", "--json", status=1).splitlines()]  # one is under review


def test_a_partner_s_list_against_our_bills(run, tmp_path):
    ours = {bill["transaction_id"]: bill for bill in bills_of(run) if bill["status"] == "normal"}
    first, second = sorted(ours)
    path = tmp_path / "partner.csv"
    rows = [["serial", "kWh", "yuan"], [first, ours[first]["energy_kwh"][:-2], ours[first]["amount"]]]

    def write(more):
        with path.open("w", newline="", encoding="gbk") as file:
            csv.writer(file).writerows(rows + more)

    write([[second, ours[second]["energy_kwh"], ours[second]["amount"]]])
    run("reconcile", "--partner", path)
    write([[second, ours[second]["energy_kwh"], "0.01"], ["0" * 32, "1.00", "1.00"]])
    out = tmp_path / "differences.xlsx"
    told = [
        json.loads(line) for line in run("reconcile", "--partner", path, "--json", "--xlsx", out, status=1).splitlines()
    ]
    assert [(each["kind"], each["dispute_reason"], each["key"]) for each in told] == [
        ("amount", 2, second),
        ("unknown_here", 1, "0" * 32),
    ]
    assert (told[0]["our_amount"], told[0]["their_amount"]) == (ours[second]["amount"], "0.01")
    assert load_workbook(out)["差异 differences"].max_row == 3
    assert "amount" in run("reconcile", "--partner", path, status=1)
