"""The canonical entities and this room's tables: every column of them is spelled here and nowhere else.

Bronze holds an entity's columns as text, word for word as the source wrote them; silver holds them typed. The rules
below are what a row must keep to get from one to the other.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
import pandera.pandas as pa

from storecast.ingestion.values.bounds import LARGEST_AMOUNT, LARGEST_QUANTITY
from storecast.warehouse.contracts import sql_types

STATUSES = ["placed", "shipped", "delivered", "cancelled", "returned"]
EVENTS = ["view", "cart", "purchase"]
FIRST_MOMENT = pd.Timestamp("2000-01-01")
FIRST_DAY_OF_LIFE = pd.Timestamp("1900-01-01")
END_OF_PLANS = pd.Timestamp("2200-01-01")


IS_QUANTITY = "is_quantity"
"""Marks the units of a sale: one that is absurd beside its file's others is set aside (see `values.bounds`)."""

NOT_AFTER_LANDING = "not_after_landing"
"""Marks a day or moment of something that has happened: at most a day later than the file landed."""

UNLESS_CANCELLED = "unless_cancelled"
"""Marks what a cancelled line may lack."""

BRONZE_COLUMNS = {
    "source": "VARCHAR",
    "feed": "VARCHAR",
    "file_sha256": "VARCHAR",
    "row_number": "BIGINT",
    "landed_at": "TIMESTAMP",
    "raw": "VARCHAR",
    "occurrence": "BIGINT",
}
"""What a bronze row carries before its entity's columns. (file_sha256, row_number) is its identity in an entity.

`occurrence` tells rows of one file apart that are alike in all columns: those of one number are copies of one another,
null is 1, and 0 a row that another one of its file replaces.
"""


def _text(*, required: bool = False, **rules: Any) -> Any:
    return pa.Field(nullable=not required, **rules)


def _number(*, required: bool = False, **rules: Any) -> Any:
    return pa.Field(nullable=not required, **rules)


def _happened(*, required: bool = True) -> Any:
    return pa.Field(nullable=not required, ge=FIRST_MOMENT, metadata={NOT_AFTER_LANDING: True})


def _planned() -> Any:
    return pa.Field(ge=FIRST_MOMENT, lt=END_OF_PLANS)


def _day_of_life() -> Any:
    return pa.Field(nullable=True, ge=FIRST_DAY_OF_LIFE, lt=END_OF_PLANS)


class Orders(pa.DataFrameModel):
    """One row an order."""

    order_id: str = _text(required=True)
    ordered_at: pa.DateTime = _happened()
    channel: str = _text(required=True)
    customer_id: str = _text()
    seller_id: str = _text()
    status: str = _text(isin=STATUSES)
    country: str = _text()


class OrderLines(pa.DataFrameModel):
    """One row a line of an order; a negative quantity is a return or a cancellation."""

    order_id: str = _text(required=True)
    line_number: pd.Int64Dtype = _number()
    ordered_at: pa.DateTime = _happened()
    channel: str = _text(required=True)
    product_id: str = _text(required=True)
    product_name: str = _text()
    quantity: float = _number(
        required=True,
        ne=0,
        ge=-LARGEST_QUANTITY,
        le=LARGEST_QUANTITY,
        metadata={IS_QUANTITY: True, UNLESS_CANCELLED: True},
    )
    unit_price: float = _number(required=True, ge=0, le=LARGEST_AMOUNT, metadata={UNLESS_CANCELLED: True})
    customer_id: str = _text()
    seller_id: str = _text()
    status: str = _text(isin=STATUSES)
    country: str = _text()
    currency: str = _text()
    discount: float = _number(ge=0)
    tax: float = _number()
    updated_at: pa.DateTime = _happened(required=False)
    returned_at: pa.DateTime = _happened(required=False)


class DailySales(pa.DataFrameModel):
    """One row a product, channel and day, from sources that only know daily totals."""

    product_id: str = _text(required=True)
    channel: str = _text(required=True)
    date: pa.DateTime = _happened()
    units: float = _number(required=True, ge=0, le=LARGEST_QUANTITY, metadata={IS_QUANTITY: True})
    unit_price: float = _number(ge=0, le=LARGEST_AMOUNT)


class Products(pa.DataFrameModel):
    """One row a product."""

    product_id: str = _text(required=True)
    product_name: str = _text()
    category: str = _text()
    brand: str = _text()
    seller_id: str = _text()
    unit_cost: float = _number(ge=0, le=LARGEST_AMOUNT)
    launch_date: pa.DateTime = _day_of_life()
    discontinued_date: pa.DateTime = _day_of_life()


class Customers(pa.DataFrameModel):
    """One row a customer."""

    customer_id: str = _text(required=True)
    country: str = _text()
    city: str = _text()
    signup_date: pa.DateTime = _day_of_life()


class Sellers(pa.DataFrameModel):
    """One row a seller."""

    seller_id: str = _text(required=True)
    seller_name: str = _text()
    country: str = _text()
    city: str = _text()


class Prices(pa.DataFrameModel):
    """The price list: one row a product, channel (null: every channel) and first day of a price."""

    product_id: str = _text(required=True)
    channel: str = _text()
    valid_from_date: pa.DateTime = _planned()
    unit_price: float = _number(required=True, gt=0, le=LARGEST_AMOUNT)


class Promotions(pa.DataFrameModel):
    """One row a promotion, product and channel (null: every channel); both days are part of it."""

    promotion_id: str = _text(required=True)
    product_id: str = _text(required=True)
    channel: str = _text()
    start_date: pa.DateTime = _planned()
    end_date: pa.DateTime = _planned()
    discount_share: float = _number(required=True, ge=0, le=1)
    promotion_type: str = _text()


class InventoryLevels(pa.DataFrameModel):
    """One row a product, day and location: units on hand at its end; negative where more was sold than there was."""

    product_id: str = _text(required=True)
    date: pa.DateTime = _happened()
    on_hand_units: float = _number(required=True, ge=-LARGEST_QUANTITY, le=LARGEST_QUANTITY)
    location: str = _text()
    is_selling: str = _text(isin=["yes", "no"])


class Sessions(pa.DataFrameModel):
    """One row an event of a visit to the shop."""

    session_id: str = _text(required=True)
    event_number: pd.Int64Dtype = _number(required=True)
    occurred_at: pa.DateTime = _happened()
    channel: str = _text(required=True)
    customer_id: str = _text()
    product_id: str = _text()
    event: str = _text(required=True, isin=EVENTS)


class AdSpend(pa.DataFrameModel):
    """One row a day, advertising channel and campaign."""

    date: pa.DateTime = _planned()
    ad_channel: str = _text(required=True)
    campaign: str = _text(required=True)
    spend: float = _number(required=True, ge=0, le=LARGEST_AMOUNT)
    impressions: pd.Int64Dtype = _number(ge=0)
    clicks: pd.Int64Dtype = _number(ge=0)


class Calendar(pa.DataFrameModel):
    """One row a day, event and channel (null: everywhere)."""

    date: pa.DateTime = _planned()
    event_name: str = _text(required=True)
    event_type: str = _text()
    channel: str = _text()


@dataclass(frozen=True)
class Entity:
    """A canonical entity: its contract, the columns that tell its rows apart, and the silver table it becomes.

    An empty `keys` means that all columns together are the key.
    """

    name: str
    contract: type[pa.DataFrameModel]
    keys: tuple[str, ...]
    silver_table: str

    @property
    def grain(self) -> str:
        """What a row stands for, in a sentence."""
        return (self.contract.__doc__ or "").strip()

    @property
    def columns(self) -> tuple[str, ...]:
        """The entity's own columns, in order."""
        return tuple(silver_types(self.name))


ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        Entity("orders", Orders, ("order_id",), "orders"),
        Entity("order_lines", OrderLines, ("channel", "order_id", "line_number"), "order_lines"),
        Entity("daily_sales", DailySales, ("product_id", "channel", "date"), "daily_sales"),
        Entity("products", Products, ("product_id",), "products"),
        Entity("customers", Customers, ("customer_id",), "customers"),
        Entity("sellers", Sellers, ("seller_id",), "sellers"),
        Entity("prices", Prices, ("product_id", "channel", "valid_from_date"), "prices"),
        Entity("promotions", Promotions, ("promotion_id", "product_id", "channel"), "promotions"),
        Entity("inventory_levels", InventoryLevels, ("product_id", "date", "location"), "inventory_levels"),
        Entity("sessions", Sessions, ("session_id", "event_number"), "sessions"),
        Entity("ad_spend", AdSpend, ("date", "ad_channel", "campaign"), "ad_spend"),
        Entity("calendar", Calendar, ("date", "event_name", "channel"), "calendar_events"),
    )
}


DAYS = {
    "orders": "ordered_at",
    "order_lines": "ordered_at",
    "daily_sales": "date",
    "prices": "valid_from_date",
    "promotions": "start_date",
    "inventory_levels": "date",
    "sessions": "occurred_at",
    "ad_spend": "date",
    "calendar": "date",
}
"""The column that says which day a row is about, of the entities that have one."""


ADDED_UP = ("daily_sales", "ad_spend")
"""Entities whose rows of one key in one file are added up; their silver rows say in `source_rows` of how many."""


@cache
def silver_types(entity: str) -> dict[str, str]:
    """Return the silver SQL type of each of an entity's columns, in order.

    >>> silver_types("inventory_levels")
    {'product_id': 'VARCHAR', 'date': 'DATE', 'on_hand_units': 'DOUBLE', 'location': 'VARCHAR', 'is_selling': 'VARCHAR'}
    """
    return sql_types(ENTITIES[entity].contract)


def bronze_types(entity: str) -> dict[str, str]:
    """Return the SQL type of each column of an entity's bronze table, in order.

    >>> list(bronze_types("sellers"))[-2:]
    ['country', 'city']
    """
    return {**BRONZE_COLUMNS, **dict.fromkeys(silver_types(entity), "VARCHAR")}


def ddl(table: str, types: dict[str, str]) -> str:
    """Return the statement that makes a table of these columns where it is not there yet."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
    return f"CREATE TABLE IF NOT EXISTS {table} ({columns})"


def bronze_ddl(entity: str) -> str:
    """Return the statement that makes an entity's bronze table where it is not there yet."""
    return ddl(f"bronze.{entity}", bronze_types(entity))


_RULES = {
    "greater_than_or_equal_to": "must be at least {min_value}",
    "greater_than": "must be more than {min_value}",
    "less_than_or_equal_to": "must be at most {max_value}",
    "less_than": "must be less than {max_value}",
    "not_equal_to": "must not be {value}",
    "isin": "must be one of {allowed_values}",
}


def rule_text(check: pa.Check) -> str:
    """Return a check as a rule that a person can follow.

    >>> rule_text(pa.Check.ge(0))
    'must be at least 0'
    """
    words = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)
        for name, value in (check.statistics or {}).items()
    }
    return _RULES[str(check.name)].format(**words) if check.name in _RULES else str(check.error or check.name)


def contract_hash(entity: str, *, currency: str, timezone: str, largest: Mapping[str, float | None]) -> str:
    """Return a fingerprint of an entity's rules; a file is judged once under each.

    `largest` is the largest quantity that the mapping believes, by feed. The rules' words are part of the fingerprint,
    for they are what `ops.quarantine` holds.
    """
    columns = ENTITIES[entity].contract.to_schema().columns
    rules = {
        name: [str(column.dtype), column.nullable, column.metadata, [rule_text(check) for check in column.checks]]
        for name, column in columns.items()
    }
    return hashlib.sha256(json.dumps([rules, currency, timezone, dict(largest)]).encode()).hexdigest()


def _plain(value: Any) -> str:
    return str(value.date()) if isinstance(value, pd.Timestamp) else str(value)
