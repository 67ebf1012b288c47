"""The page that explains the mapping must hold a mapping that works."""

import tomllib
from pathlib import Path

from storecast.ingestion.contracts import ENTITIES
from storecast.ingestion.sources.files import ShopMapping

PAGE = Path(__file__).parents[3] / "docs" / "own_data.md"


def test_the_mapping_on_the_page_is_valid() -> None:
    block = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    mapping = ShopMapping.model_validate(tomllib.loads(block))
    assert [feed.entity for feed in mapping.feeds] == ["order_lines", "prices"]


def test_the_page_names_just_the_columns_that_must_be_mapped() -> None:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 4 or cells[1].strip("`") not in ENTITIES:
            continue
        entity = cells[1].strip("`")
        fields = ENTITIES[entity].contract.to_schema().columns
        bold = {part for place, part in enumerate(cells[2].split("**")) if place % 2}
        assert bold == {name for name, field in fields.items() if not field.nullable}, entity
