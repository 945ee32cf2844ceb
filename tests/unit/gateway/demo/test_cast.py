"""Who plays in the demo."""

from gateway.config import parse
from gateway.demo.cast import PARTS, PILES, config_text, demo_cast
from gateway.tomlfile import TomlFile


def test_every_part_has_a_pile_and_a_car():
    cars = {(cast.plan.pile_id, no) for cast in demo_cast() for no, visits in enumerate(cast.plan.visits, 1) if visits}
    assert cars == {(part.pile_id, part.connector) for part in PARTS}


def test_the_configuration_loads_and_lists_every_pile(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text(config_text(str(tmp_path), 9))
    config = parse(TomlFile.read(path))
    assert len(config.site.piles) == PILES
    assert {cast.plan.pile_id for cast in demo_cast()} == set(config.site.piles)
    assert all(listen.host == "127.0.0.1" and listen.port == 0 for listen in config.listen)
