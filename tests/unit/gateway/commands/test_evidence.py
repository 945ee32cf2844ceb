import shutil

from tests.support.billed import pilegate, replayed

SERIAL = "55031412782305012603031030000001"


def test_a_bundle_is_made_carried_away_and_verified_without_anything_else(tmp_path):
    db = replayed(tmp_path / "a.db", "dates-are-zero")
    bundle = tmp_path / "bill.zip"
    made = pilegate("evidence", SERIAL, "-o", bundle, "--db", db)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "equal: 1 revisions recomputed from the frames alone" in made.stdout
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(bundle, elsewhere / "bill.zip")
    db.unlink()
    done = pilegate("verify", "bill.zip", cwd=elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "equal: 1 revisions recomputed from the frames alone"
    assert done.stdout.split("seal ")[1].split()[0] in made.stdout
    data = bytearray((elsewhere / "bill.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (elsewhere / "bill.zip").write_bytes(data)
    done = pilegate("verify", "bill.zip", cwd=elsewhere)
    assert (done.returncode, done.stdout[:9]) == (1, "altered: ")


def test_a_bill_that_is_not_there_is_told(tmp_path):
    db = replayed(tmp_path / "a.db", "dates-are-zero")
    done = pilegate("evidence", "nobody", "-o", tmp_path / "x.zip", "--db", db)
    assert (done.returncode, "nobody" in done.stderr) == (3, True)
    assert not (tmp_path / "x.zip").exists()
