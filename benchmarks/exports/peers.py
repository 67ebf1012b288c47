"""The same exports through a plain reader at its best: told delimiter, encoding, separators, states and meaning.

It reads the columns that the mapping names, leaves out cancelled and repeated rows, and adds up. What stops it counts
as refused.
"""

import io
from collections.abc import Callable, Mapping
from decimal import Decimal
from fnmatch import fnmatch
from typing import Any, Final

import duckdb
import pandas as pd

from benchmarks.exports.scoring import Kind
from benchmarks.exports.truth import Export, File

ERRORS: Final = (ValueError, TypeError, KeyError, ArithmeticError, pd.errors.ParserError, duckdb.Error)
IDS: Final = ("order_id", "product_id")


def judged(export: Export, read: Callable[[File, Mapping[str, Any]], pd.DataFrame]) -> Kind:
    """How an export is read: units of each product and the net revenue of all, days left aside."""
    try:
        units, revenue = _sums(export, read)
    except ERRORS:
        return "refused"
    truth = export.sums()
    known: dict[str, Decimal] = {}
    for (_, product, _), amount in truth.units.items():
        known[product] = known.get(product, Decimal()) + amount
    is_right = {product: round(float(amount), 6) for product, amount in known.items()} == units
    return "right" if is_right and abs(revenue - float(truth.net)) <= 0.011 else "silently wrong"


def with_pandas(file: File, feed: Mapping[str, Any]) -> pd.DataFrame:
    """A file as pandas reads it."""
    content, kind = io.BytesIO(file.content), file.dialect.kind
    if kind == "parquet":
        return pd.read_parquet(content)
    if kind == "excel":
        return pd.read_excel(content, dtype={feed["columns"][name]: str for name in IDS})
    if kind == "jsonl":
        items = pd.read_json(content, lines=True, dtype=False).explode("items", ignore_index=True)
        return items.join(pd.json_normalize(items.pop("items").tolist()).add_prefix("$.items[*]."))
    return pd.read_csv(
        content,
        sep=file.dialect.delimiter,
        encoding=file.dialect.encoding,
        decimal=file.dialect.decimal,
        thousands=file.dialect.thousands or None,
        quoting=3 if feed.get("quote") == "none" else 0,
        dtype={feed["columns"][name]: str for name in IDS if name in feed["columns"]},
    )


def with_duckdb(file: File, feed: Mapping[str, Any]) -> pd.DataFrame:
    """A file as DuckDB's sniffer reads it, which is told no more than the delimiter; other formats as pandas does."""
    if file.dialect.kind != "csv":
        return with_pandas(file, feed)
    text = file.content.decode(file.dialect.encoding).lstrip("\ufeff")
    with duckdb.connect() as connection:
        relation = connection.read_csv(io.StringIO(text), sep=file.dialect.delimiter, header=True)
        return relation.df()


def _sums(export: Export, read: Callable[[File, Mapping[str, Any]], pd.DataFrame]) -> tuple[dict[str, float], float]:
    """Units by product and net revenue, as a plain reader adds them up."""
    units: dict[str, float] = {}
    revenue = 0.0
    for feed in export.feeds:
        if feed["entity"] == "orders":
            continue
        newest = {file.name: file for file in export.files}
        files = [file for name, file in newest.items() if fnmatch(name, feed["files"])]
        frame = pd.concat([read(file, feed) for file in files if file.rows], ignore_index=True).drop_duplicates()
        counted, own = _counted(frame, feed, export)
        for product, amount in counted.items():
            units[str(product)] = round(units.get(str(product), 0.0) + float(amount), 6)
        revenue += own
    return {product: amount for product, amount in units.items() if amount}, revenue


def _counted(frame: pd.DataFrame, feed: Mapping[str, Any], export: Export) -> tuple[pd.Series, float]:
    """Units by product and net revenue of a feed's rows."""
    columns = {ours: str(theirs).removeprefix("$.") for ours, theirs in feed["columns"].items()}
    columns = {ours: theirs if theirs in frame else f"$.{theirs}" for ours, theirs in columns.items()}
    states = feed.get("values", {}).get("status", {})
    state = frame[columns["status"]].map(states) if states else pd.Series("placed", frame.index)
    products = frame[columns["product_id"]].astype(str)
    charged = [products.map(lambda name, glob=glob: fnmatch(name, glob)) for glob in export.top.get("non_products", [])]
    is_kept = (state != "cancelled") & ~pd.concat([pd.Series(False, frame.index), *charged], axis=1).any(axis=1)
    frame, state = frame[is_kept], state[is_kept]
    pieces = pd.to_numeric(frame[columns.get("quantity") or columns["units"]])
    price = pd.to_numeric(frame[columns["unit_price"]])
    paid = price if feed.get("price_is") == "line_total" else pieces * price
    if "discount" in feed:
        paid = paid - pd.to_numeric(frame[feed["discount"]["column"]]).fillna(0)
    if feed.get("tax", {}).get("is") == "included":
        said = feed["tax"]
        paid = paid / (1 + said["rate"]) if "rate" in said else paid - pd.to_numeric(frame[said["column"]])
    sold = pieces.where(pieces > 0, 0).groupby(products[is_kept]).sum()
    return sold, float(paid[state != "returned"].sum())
