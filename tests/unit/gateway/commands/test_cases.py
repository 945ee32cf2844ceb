import json

from click.testing import CliRunner

from gateway.cli import cli
from gateway.store import Store, StoreConfig
from tests.support.bills import bill_row


def test_a_case_on_the_command_line(tmp_path):
    db = tmp_path / "pilegate.db"
    store = Store(StoreConfig(path=str(db)))
    store.writer.submit([bill_row("t1"), bill_row("t2")]).result(30)
    store.close()
    runner = CliRunner()

    def run(*arguments, status=0, **environment):
        done = runner.invoke(cli, ["case", *arguments, "--db", str(db)], env=environment)
        assert done.exit_code == status, (done.output, done.exception)
        return done.output.strip()

    case_no = run("open", "no amount", "--bill", "t1", "--by", "li")
    run("note", case_no, "asked the driver", PILEGATE_BY="wang")
    run("link", case_no, "t2", "--by", "wang")
    photo = tmp_path / "screen.jpg"
    photo.write_bytes(b"\xff\xd8")
    sha256 = run("attach", case_no, str(photo), "--by", "wang")
    run("state", case_no, "solved", "told him", "--by", "li")
    told = run("show", case_no)
    for line in ("no amount", "wang  note: asked the driver", "bill t2", f"{sha256}          2  screen.jpg"):
        assert line in told
    shown = json.loads(run("show", case_no, "--json", "--save", str(tmp_path / "files")))
    assert (shown["state"], shown["bills"]) == ("solved", ["t1", "t2"])
    assert (tmp_path / "files" / f"{sha256[:12]}-screen.jpg").read_bytes() == b"\xff\xd8"
    assert json.loads(run("list", "--bill", "t2", "--json"))["case_no"] == case_no
    assert "solved" in run("list", "--state", "solved")
    assert run("list", "--state", "open", "--json") == ""
    assert "a person must be named" in run("note", case_no, "x", "--by", " ", status=2)
    run("note", case_no, "x", status=2, PILEGATE_BY="")
