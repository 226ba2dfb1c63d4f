"""The page of the open models says what their cards say."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("page", ROOT / "recipes/write_model_page.py")
page = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(page)


def test_the_page_is_as_the_cards_are():
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def test_every_model_says_where_its_data_come_from_and_how_it_scored():
    for card in page.cards():
        assert "mocap.cs.cmu.edu" in card.acknowledgement
        assert card.licence == "Apache-2.0"
        people = {row["on"] for row in card.metrics}
        assert "test subjects" in people
        assert card.recipe["cameras"] == "random"
