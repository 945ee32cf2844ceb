"""Write every tale into its folder under fixtures/replays."""

from pathlib import Path

from tests.support.tales.book import tales

REPLAYS = Path(__file__).parents[3] / "fixtures" / "replays"

for each in tales():
    folder = REPLAYS / each.name
    folder.mkdir(exist_ok=True)
    for name, text in each.files().items():
        (folder / name).write_text(text, encoding="utf-8")
