"""What ``simulate`` prints without simulating."""

import tomllib

from gateway.simulator.faults import PROFILES
from gateway.site import site_from_file
from gateway.tomlfile import TomlFile
from tests.support.commandline import pilegate


def test_the_profiles_are_named():
    done = pilegate("simulate", "--list-faults")
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == list(PROFILES)


def test_the_tables_that_a_gateway_needs(tmp_path):
    done = pilegate("simulate", "--piles", "4", "--print-site")
    assert len(tomllib.loads(done.out)["pile"]) == 4
    (tmp_path / "site.toml").write_text(done.out)
    assert len(site_from_file(TomlFile.read(tmp_path / "site.toml")).piles) == 4


def test_the_accounts_that_a_gateway_needs(tmp_path):
    done = pilegate("simulate", "--piles", "2", "--print-accounts")
    lines = done.out.splitlines()
    assert len(lines) == 5
    for line in lines:
        words = [word.strip('"') for word in line.replace('"simulated cars"', "simulated-cars").split()]
        assert pilegate(*words[1:], "--db", tmp_path / "p.db").status == 0, line


def test_an_unknown_profile_is_wrong_usage():
    from gateway.simulator import command

    assert command.WRONG_USAGE == 2
