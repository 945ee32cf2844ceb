"""The drawing of the session machine is the machine."""

from pathlib import Path

from billing_core.transitions import TRANSITIONS, as_mermaid, as_table

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_page_shows_the_table_that_runs():
    page = PAGE.read_text(encoding="utf-8")
    assert f"```mermaid\n{as_mermaid().rstrip()}\n```" in page
    assert f"```\n{as_table().rstrip()}\n```" in page


def test_every_move_between_states_is_drawn():
    drawing = as_mermaid()
    for state, event, after, _ in TRANSITIONS:
        if state is not after:
            assert f"{state.name} --> {after.name}: {event.name}" in drawing
