import dataclasses

from gateway.config import parse
from gateway.site import PileEntry
from gateway.sitetext import site_text
from gateway.tomlfile import TomlFile
from tests.support.site import site_text as sample


def test_what_is_written_down_reads_back_as_the_same_site():
    config = parse(
        TomlFile(sample(3) + "\n[session]\nrecord_lost_ms = 5\n[presence]\nheartbeats_missed_max = 4\n", "a")
    )
    text = site_text(config.site, config)
    again = parse(TomlFile(text, "b"))
    assert again.site.piles == config.site.piles
    assert again.site.book.tariffs == config.site.book.tariffs
    assert again.site.cards == config.site.cards
    assert (again.session, again.presence) == (config.session, config.presence)
    assert site_text(again.site, again) == text


def test_an_adopted_pile_is_written_down_too():
    config = parse(TomlFile(sample(1), "a"))
    adopted = PileEntry(id="12345678901234", station="north", model="M1")
    site = dataclasses.replace(config.site, piles={**config.site.piles, adopted.id: adopted})
    again = parse(TomlFile(site_text(site, config), "b"))
    assert again.site.piles[adopted.id] == adopted
    assert len(again.site.piles) == 2
