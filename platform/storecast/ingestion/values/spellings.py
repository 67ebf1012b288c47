"""Products that are spelled in several ways: found so that somebody is told, read as one or not."""

from collections.abc import Iterable, Sequence

from storecast.ingestion.sources.base import Feed
from storecast.ingestion.values.formats import sql_text
from storecast.ingestion.values.ids import folded
from storecast.ingestion.values.lists import EVERY

SHOWN = 5


def spellings_sql(entity: str, feeds: Iterable[Feed]) -> str:
    """Return the query of an entity's products of several spellings, with one parameter: the files just loaded.

    A row a product: its spellings in the source, and the ids they are read as. Spellings differ by blanks, the `.0` of
    a float or zeros in front.
    """
    cells = {feed.name: path for feed in feeds if (path := _path_in_raw(feed))}
    cases = " ".join(
        f"WHEN {sql_text(name)} THEN json_extract_string(raw, {sql_text(path)})" for name, path in cells.items()
    )
    written = f"coalesce(CASE feed {cases} END, product_id)" if cases else "product_id"
    return (
        "SELECT list(DISTINCT written ORDER BY written), list(DISTINCT product_id ORDER BY product_id) FROM ("
        f"SELECT DISTINCT product_id, CASE WHEN file_sha256 IN (SELECT unnest(?)) THEN {written} ELSE product_id END "
        f"AS written FROM bronze.{entity} WHERE product_id IS NOT NULL) "
        f"GROUP BY {folded('product_id')} HAVING count(DISTINCT written) > 1 ORDER BY ALL"
    )


def sentences(entity: str, found: Sequence[tuple[Sequence[str], Sequence[str]]]) -> list[str]:
    """Return what to say of products of several spellings: each their spellings and the ids they are read as.

    >>> sentences("order_lines", [(["TEE", "TEE "], ["TEE"]), (["00420", "420"], ["00420", "420"])])
    ["order_lines: products spelled in several ways and read as one: 'TEE' = 'TEE '",
     "order_lines: products spelled in several ways and kept apart: '00420' = '420'"]
    """
    merged = [spellings for spellings, products in found if len(products) == 1]
    apart = [spellings for spellings, products in found if len(products) > 1]
    fates = (("read as one", merged), ("kept apart", apart))
    return [
        f"{entity}: products spelled in several ways and {fate}: {_shown(groups)}" for fate, groups in fates if groups
    ]


def _shown(groups: Sequence[Sequence[str]]) -> str:
    shown = ", ".join(" = ".join(map(repr, group)) for group in groups[:SHOWN])
    return shown if len(groups) <= SHOWN else f"{shown} and {len(groups) - SHOWN} more"


def _path_in_raw(feed: Feed) -> str | None:
    """Return where bronze's `raw` holds the product's id as the file wrote it, None where it does not."""
    written = feed.formats.columns.get("product_id") if feed.formats else None
    if written is None or EVERY in written:
        return None
    return "/" + written.replace("~", "~0").replace("/", "~1") if feed.reads else written
