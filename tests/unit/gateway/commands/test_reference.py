"""docs/cli.md is the program's own help."""

from gateway.commands.reference import reference
from tests.support.commandline import ROOT


def test_the_reference_is_up_to_date():
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == reference(), "write it anew: python -m gateway.commands.reference > docs/cli.md"
