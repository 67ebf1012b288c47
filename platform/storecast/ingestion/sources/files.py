"""A user's own files: a TOML file maps their columns to ours.

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
sheet = "Lines"                 # Excel: optional, every sheet by default
decimal = ","                   # optional; then a dot before three digits groups thousands
date_format = "%d.%m.%Y %H:%M"  # optional; ISO 8601 by default
columns = { order_id = "Nr", ordered_at = "Datum", product_id = "Artikel", quantity = "Menge", unit_price = "Preis" }
constants = { channel = "shop" }
values.status = { versandt = "shipped", storniert = "cancelled" }
```

In JSON lines a column is named by its path, e.g. `"$.customer.id"`.
"""

import codecs
import tomllib
from pathlib import Path, PurePosixPath
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from storecast.ingestion.contracts import ENTITIES, silver_types
from storecast.ingestion.sources.base import Feed, Format, Kind, Source
from storecast.ingestion.sources.expressions import day, decimal_comma, json_text, moment, renamed, text
from storecast.warehouse.database import quote

NOT_OF_FILES = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
"""Codecs of Python for other text than that of files."""


class FeedMapping(BaseModel):
    """One `[[feeds]]` of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity: str
    files: str
    name: str = ""
    format: Kind | None = None
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    sheet: str | None = None
    decimal: str = Field(default=".", pattern=r"^[.,]$")
    date_format: str | None = None
    columns: dict[str, str]
    constants: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}

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
        entity = ENTITIES[self.entity]
        mapped = {*self.columns, *self.constants}
        unknown = [name for name in (*self.columns, *self.constants, *self.values) if name not in entity.columns]
        if unknown:
            message = f"{self.entity} has no column {unknown[0]!r}; it has {', '.join(entity.columns)}"
            raise ValueError(message)
        fields = entity.contract.to_schema().columns
        missing = [name for name in entity.columns if not fields[name].nullable and name not in mapped]
        if missing:
            message = f"{self.entity} needs {', '.join(missing)}: map a column to it, or give a constant"
            raise ValueError(message)
        return self

    def feed(self) -> Feed:
        """Return the feed that the mapping describes."""
        is_json = self.format == "jsonl" or PurePosixPath(self.files).suffix.lower() in {".jsonl", ".ndjson"}
        expressions = {ours: text(value) for ours, value in self.constants.items()}
        for ours, theirs in self.columns.items():
            expressions[ours] = self._expression(ours, json_text("line", theirs) if is_json else quote(theirs))
        return Feed(
            name=self.name or self.entity,
            entity=self.entity,
            pattern=self.files,
            columns=expressions,
            reads=() if is_json else tuple(self.columns.values()),
            format=Format(self.format, self.delimiter, self.encoding, self.sheet),
            keeps_raw=True,
        )

    def _expression(self, ours: str, expression: str) -> str:
        """Return the SQL that reads one of our columns in the format its type asks for."""
        if ours in self.values:
            expression = renamed(expression, self.values[ours])
        kind = silver_types(self.entity)[ours]
        if kind in {"DOUBLE", "BIGINT"} and self.decimal == ",":
            return decimal_comma(expression)
        if kind == "TIMESTAMP" and self.date_format:
            return moment(expression, self.date_format)
        if kind == "DATE" and self.date_format:
            return day(expression, self.date_format)
        return expression


class ShopMapping(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    country: str = Field(pattern=r"^[A-Z]{2}$")
    folder: str = "."
    feeds: list[FeedMapping] = Field(min_length=1)


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
            feeds=tuple(feed.feed() for feed in mapping.feeds),
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
