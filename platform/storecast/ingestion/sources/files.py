r"""A user's own files: a TOML file maps their columns to ours.

```toml
timezone = "Europe/Berlin"      # of moments that name no offset
currency = "EUR"
country = "DE"                  # whose public holidays count
folder = "exports"              # optional; relative to this file, which is the default

[[feeds]]                       # as many as there are kinds of files
entity = "order_lines"          # orders, order_lines, products, customers, sellers, prices, promotions, …
files = "orders-*.csv"          # a glob below the folder: CSV, Excel, Parquet or JSON lines by its ending
name = "web_orders"             # optional; the entity's name by default
delimiter = ";"                 # CSV: optional, "," by default
encoding = "cp1252"             # CSV: optional, "utf-8" by default
quote = "none"                  # CSV: optional, '"' by default; "none" where quotes are part of the text
escape = "\\"                   # CSV: optional; by default a quote within quotes is written twice
delivery = "snapshots"          # optional: how files follow each other, see docs/own_data.md
sheet = "Lines"                 # Excel: optional, every sheet by default
decimal = ","                   # optional, as the next four: a column's own values say how they are written
thousands = "."                 # or "'" or " "
date_format = "%d.%m.%Y %H:%M"  # or "epoch" or "excel"
zones = { IST = "+05:30" }      # offsets of zone abbreviations
largest_quantity = 20000        # above it a quantity is set aside; by default the file's others decide
columns = { order_id = "Nr", ordered_at = "Datum", product_id = "Artikel", quantity = "Menge", unit_price = "Preis" }
constants = { channel = "shop" }
values.status = { versandt = "shipped", storniert = "cancelled" }
price_is = "line_total"         # optional: the price of all pieces, not of one
discount = { column = "Rabatt", of = "order" }  # optional: money taken off, of a line or of a whole order
tax = { rate = 0.19, is = "included" }          # optional, or { column = "MwSt", of = "line", is = "added" }
repeated_rows = "copies"        # optional: whether rows of one file that are exactly alike each count
```

In JSON lines a column is named by its path, e.g. `"$.customer.id"`; `"$.line_items[*].sku"` makes one row an item.
`decimal` and `thousands` may be tables by our columns: `decimal = { quantity = "." }`.
"""

import codecs
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from storecast.ingestion.contracts import ADDED_UP, DAYS, ENTITIES
from storecast.ingestion.orders.money import Money, PerLine
from storecast.ingestion.reading.csv_files import Dialect
from storecast.ingestion.sources.base import Delivery, Feed, Format, Kind, RepeatedRows, Source
from storecast.ingestion.sources.expressions import among, glob_pattern, json_text, renamed, text
from storecast.ingestion.values.formats import Formats, trimmed
from storecast.ingestion.values.lists import EVERY, item_path, list_of, place_of, rows_of_items
from storecast.warehouse.database import quote

DecimalSign = Literal[".", ","]
ThousandsSign = Literal[".", ",", "'", " "]
NOT_OF_FILES = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
"""Codecs of Python for other text than that of files."""


class DiscountMapping(BaseModel):
    """Money taken off, of a line or of a whole order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    of: PerLine


class TaxMapping(BaseModel):
    """Tax on a line or a whole order: how much a column says, or at which rate; part of the prices or not."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    column: str | None = None
    of: PerLine = "line"
    rate: float | None = Field(default=None, ge=0, lt=1)
    includes: Literal["included", "added"] = Field(alias="is")

    @model_validator(mode="after")
    def _says_how_much(self) -> Self:
        if (self.column is None) == (self.rate is None):
            message = "tax needs a `column` or a `rate`, and not both"
            raise ValueError(message)
        return self


class FeedMapping(BaseModel):
    """One `[[feeds]]` of the file; the columns of `discount` and `tax` are among its `columns`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity: str
    files: str
    name: str = ""
    format: Kind | None = None
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    quote: str = Field(default='"', pattern="^(.|none)$")
    escape: str | None = Field(default=None, min_length=1, max_length=1)
    delivery: Delivery = "deltas"
    sheet: str | None = None
    decimal: DecimalSign | dict[str, DecimalSign] | None = None
    thousands: ThousandsSign | dict[str, ThousandsSign] | None = None
    date_format: str | None = None
    zones: dict[str, Annotated[str, Field(pattern=r"^[+-]\d\d:\d\d$")]] = {}
    largest_quantity: float | None = Field(default=None, gt=0)
    columns: dict[str, str]
    constants: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    price_is: Literal["unit", "line_total"] = "unit"
    discount: DiscountMapping | None = None
    tax: TaxMapping | None = None
    repeated_rows: RepeatedRows | None = None
    selling_locations: list[str] = []

    @model_validator(mode="before")
    @classmethod
    def _amounts_are_columns(cls, mapping: Any) -> Any:
        amounts = {name: mapping[name] for name in ("discount", "tax") if isinstance(mapping.get(name), dict)}
        columns = {name: amount["column"] for name, amount in amounts.items() if "column" in amount}
        return {**mapping, "columns": {**mapping.get("columns", {}), **columns}} if columns else mapping

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)  # refuses codecs that change text into text or bytes into bytes, too
            is_of_files = codecs.lookup(encoding).name not in NOT_OF_FILES
        except (LookupError, ValueError):
            is_of_files = False
        if not is_of_files:
            message = (
                f"encoding {encoding!r} is unknown, or none in which files are written; write e.g. 'utf-8', 'cp1252'"
            )
            raise ValueError(message)
        return encoding

    @field_validator("files")
    @classmethod
    def _below_the_folder(cls, files: str) -> str:
        path = PurePosixPath(files)
        if path.is_absolute() or ".." in path.parts:
            message = f"files {files!r} leaves the folder; name the place with `folder`, the files below it here"
            raise ValueError(message)
        return files

    @model_validator(mode="after")
    def _maps_an_entity(self) -> Self:
        if self.entity not in ENTITIES:
            message = f"entity {self.entity!r} is unknown; there are {', '.join(ENTITIES)}"
            raise ValueError(message)
        if self.delivery == "periods" and self.entity not in DAYS:
            message = f"delivery 'periods' replaces days, and {self.entity} has none; write 'snapshots' or leave it out"
            raise ValueError(message)
        entity = ENTITIES[self.entity]
        mapped = {*self.columns, *self.constants}
        signs = [name for key in (self.decimal, self.thousands) for name in _by_column(key) if name]
        unknown = [
            name for name in (*self.columns, *self.constants, *self.values, *signs) if name not in entity.columns
        ]
        if unknown:
            message = f"{self.entity} has no column {unknown[0]!r}; it has {', '.join(entity.columns)}"
            raise ValueError(message)
        fields = entity.contract.to_schema().columns
        missing = [name for name in entity.columns if not fields[name].nullable and name not in mapped]
        if missing:
            message = f"{self.entity} needs {', '.join(missing)}: map a column to it, or give a constant"
            raise ValueError(message)
        for key, entities in _KEYS_OF.items():
            if key in self.model_fields_set and self.entity not in entities:
                message = f"{key} is a key of {' and '.join(entities)}, not of {self.entity}: take it out"
                raise ValueError(message)
        if self.selling_locations and "location" not in mapped:
            message = f"selling_locations names {self.selling_locations}, but no column is mapped to location"
            raise ValueError(message)
        return self

    def feed(self, timezone: str, currency: str) -> Feed:
        """Return the feed that the mapping describes, in a shop of a time zone and currency."""
        is_json = self.format == "jsonl" or PurePosixPath(self.files).suffix.lower() in {".jsonl", ".ndjson"}
        items = list_of(self.columns.values()) if is_json else None
        expressions = {ours: text(value) for ours, value in self.constants.items()}
        for ours, theirs in self.columns.items():
            written = trimmed(_json_cell(theirs) if is_json else quote(theirs))
            expressions[ours] = renamed(written, self.values[ours]) if ours in self.values else written
        if self.selling_locations:
            expressions["is_selling"] = among(expressions["location"], self.selling_locations)
        return Feed(
            name=self.name or self.entity,
            entity=self.entity,
            pattern=self.files,
            columns=expressions,
            reads=() if is_json else tuple(self.columns.values()),
            format=Format(self.format, self._dialect(), self.sheet),
            rows=rows_of_items(items) if items else "raw",
            keeps_raw=True,
            delivery=self.delivery,
            formats=self._formats(timezone, currency, is_json=is_json),
            largest_quantity=self.largest_quantity,
            repeated_rows=self.repeated_rows,
            money=self._money(),
        )

    def _money(self) -> Money:
        discount, tax = self.discount, self.tax
        return Money(
            price_is=self.price_is,
            discount_of=discount.of if discount else None,
            tax_of=tax.of if tax and tax.column else None,
            tax_is=tax.includes if tax else "included",
            tax_rate=tax.rate if tax else None,
        )

    def _dialect(self) -> Dialect:
        return Dialect(self.delimiter, self.encoding, None if self.quote == "none" else self.quote, self.escape)

    def _formats(self, timezone: str, currency: str, *, is_json: bool) -> Formats:
        fields = ENTITIES[self.entity].contract.to_schema().columns
        rows = {ours: place_of(theirs) for ours, theirs in self.columns.items() if not fields[ours].nullable}
        return Formats(
            timezone=timezone,
            currency=currency,
            columns=self.columns,
            decimal=_by_column(self.decimal),
            thousands=_by_column(self.thousands),
            date_format=self.date_format,
            zones=self.zones,
            firsts={ours: path for ours, path in rows.items() if path} if is_json else {},
        )


def _json_cell(path: str) -> str:
    return json_text("item", item_path(path)) if EVERY in path else json_text("line", path)


def _by_column(signs: str | Mapping[str, str] | None) -> dict[str, str]:
    """Write a key for all columns under "", as `Formats` has it."""
    return {"": signs} if isinstance(signs, str) else dict(signs or {})


_KEYS_OF = {
    **dict.fromkeys(("price_is", "discount", "tax"), ("order_lines",)),
    "repeated_rows": ("order_lines", *ADDED_UP),
    "selling_locations": ("inventory_levels",),
}
"""Keys of a feed that mean something for some entities only."""


class ShopMapping(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    country: str = Field(pattern=r"^[A-Z]{2}$")
    folder: str = "."
    feeds: list[FeedMapping] = Field(min_length=1)
    non_products: list[str] = []


def files(config: Path) -> Source:
    """Return the source that a TOML file describes.

    Raises `FileNotFoundError` where there is none, and `ValueError` naming the file, the key and what to do where it
    does not fit.
    """
    if not config.is_file():
        message = f"there is no mapping at {config}: name your TOML file with --config"
        raise FileNotFoundError(message)
    try:
        mapping = ShopMapping.model_validate(tomllib.loads(config.read_text(encoding="utf-8")))
        return Source(
            name="files",
            folder=config.parent / mapping.folder,
            timezone=mapping.timezone,
            currency=mapping.currency,
            country=mapping.country,
            feeds=tuple(feed.feed(mapping.timezone, mapping.currency) for feed in mapping.feeds),
            non_products={glob_pattern(glob): f"called {glob} in the mapping" for glob in mapping.non_products},
        )
    except ValidationError as error:
        problems = "; ".join(f"{_place(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        message = f"{config}: {problems}"
        raise ValueError(message) from error
    except ValueError as error:
        message = f"{config}: {error}"
        raise ValueError(message) from error


def _place(location: tuple[int | str, ...]) -> str:
    """Write pydantic's place as TOML would: the feeds counted from 1."""
    parts = [f"{part + 1}" if isinstance(part, int) else part for part in location]
    return " ".join(parts) or "file"
