from datetime import datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecast.ingestion.contracts import ENTITIES
from storecast.ingestion.judging import judge, reason, typed
from storecast.ingestion.sources import Feed, Source

MOMENT = "is not a moment (ISO 8601, e.g. 2025-03-01 14:22:05)"
SOUND = {
    "orders": {"order_id": "1", "ordered_at": "2025-03-01 10:00:00", "channel": "web"},
    "order_lines": {
        "order_id": "1",
        "line_number": "1",
        "ordered_at": "2025-03-01 10:00:00",
        "channel": "web",
        "product_id": "P1",
        "quantity": "1",
        "unit_price": "2.5",
    },
    "daily_sales": {"product_id": "P1", "channel": "web", "date": "2025-03-01", "units": "0"},
    "products": {"product_id": "P1"},
    "customers": {"customer_id": "C1"},
    "sellers": {"seller_id": "S1"},
    "prices": {"product_id": "P1", "valid_from_date": "2027-01-01", "unit_price": "1"},
    "promotions": {
        "promotion_id": "1",
        "product_id": "P1",
        "start_date": "2027-01-01",
        "end_date": "2027-01-02",
        "discount_share": "0.2",
    },
    "inventory_levels": {"product_id": "P1", "date": "2025-03-01", "on_hand_units": "0"},
    "sessions": {
        "session_id": "1",
        "event_number": "1",
        "occurred_at": "2025-03-01T10:00:00Z",
        "channel": "web",
        "event": "view",
    },
    "ad_spend": {"date": "2025-03-01", "ad_channel": "search", "campaign": "c", "spend": "0"},
    "calendar": {"date": "2027-12-24", "event_name": "Christmas Eve"},
}


def csv_row(row: dict[str, str]) -> str:
    return ",".join(row) + "\n" + ",".join(f'"{value}"' for value in row.values()) + "\n"


def ingest_row(shop, entity: str, row: dict[str, str], **settings: str) -> dict[int, str]:
    """Ingest one row as a CSV file and return the reasons it was quarantined for."""
    names = list(row)
    shop.write("f.csv", csv_row(row))
    feed = Feed("f", entity, "f.csv", {name: f'"{name}"' for name in names}, tuple(names))
    facts = {"timezone": "Europe/Berlin", "currency": "EUR", "country": "DE"} | settings
    shop.ingest(Source("shop", shop.folder, feeds=(feed,), **facts))
    return shop.reasons(entity)


REQUIRED = [
    (entity, name)
    for entity in ENTITIES
    for name, column in ENTITIES[entity].contract.to_schema().columns.items()
    if not column.nullable
]
BROKEN = [
    ("orders", "ordered_at", "gestern", MOMENT),
    ("orders", "ordered_at", "2025-13-45T25:61:00Z", MOMENT),
    ("orders", "ordered_at", "infinity", MOMENT),
    ("orders", "ordered_at", "2025-03-01 14:22:05 Europe/Berlin", MOMENT),
    ("orders", "ordered_at", "1970-01-01 00:00:00", "must be at least 2000-01-01"),
    ("orders", "ordered_at", "2099-01-01 00:00:00", "must be at most a day later than its file landed"),
    ("orders", "status", "lost", "must be one of placed, shipped, delivered, cancelled, returned"),
    ("order_lines", "quantity", "abc", "is not a number"),
    ("order_lines", "quantity", "1_000", "is not a number"),
    ("order_lines", "quantity", "nan", "is not a number"),
    ("order_lines", "quantity", "1e999", "is not a number"),
    ("order_lines", "quantity", "1,5", "is not a number"),
    ("order_lines", "quantity", "-0", "must not be 0"),
    ("order_lines", "line_number", "1.5", "is not a whole number"),
    ("order_lines", "line_number", "99999999999999999999", "is not a whole number"),
    ("order_lines", "unit_price", "-0.01", "must be at least 0"),
    ("daily_sales", "units", "-1", "must be at least 0"),
    ("daily_sales", "date", "2099-01-01", "must be at most a day later than its file landed"),
    ("daily_sales", "date", "01.03.2025", "is not a day (YYYY-MM-DD)"),
    ("daily_sales", "date", "2025-02-30", "is not a day (YYYY-MM-DD)"),
    ("daily_sales", "date", "2025-03-01T10:00:00Z", "is not a day (YYYY-MM-DD)"),
    ("products", "unit_cost", "-1", "must be at least 0"),
    ("products", "discontinued_date", "9999-12-31", "must be less than 2200-01-01"),
    ("products", "launch_date", "1899-12-31", "must be at least 1900-01-01"),
    ("prices", "unit_price", "0", "must be more than 0"),
    ("prices", "valid_from_date", "2200-01-01", "must be less than 2200-01-01"),
    ("promotions", "discount_share", "1.01", "must be at most 1"),
    ("promotions", "discount_share", "-0.1", "must be at least 0"),
    ("inventory_levels", "on_hand_units", "few", "is not a number"),
    ("inventory_levels", "is_selling", "perhaps", "must be one of yes, no"),
    ("order_lines", "discount", "-1", "must be at least 0"),
    ("order_lines", "returned_at", "2099-01-01 00:00:00", "must be at most a day later than its file landed"),
    ("sessions", "event", "click", "must be one of view, cart, purchase"),
    ("sessions", "event_number", "first", "is not a whole number"),
    ("ad_spend", "spend", "-1", "must be at least 0"),
    ("ad_spend", "clicks", "-1", "must be at least 0"),
    ("calendar", "date", "soon", "is not a day (YYYY-MM-DD)"),
]


@pytest.fixture(scope="module")
def verdicts(open_shop, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], str]:
    """Judge every case in one go, each a file of one row: (entity, column, value) → reasons, '' where it passes."""
    shop = open_shop(tmp_path_factory.mktemp("verdicts") / "shop")
    cases = [(entity, "", "") for entity in ENTITIES]
    cases += [(entity, column, " ") for entity, column in REQUIRED]
    cases += [(entity, column, value) for entity, column, value, _ in BROKEN]
    feeds = []
    for number, (entity, column, value) in enumerate(cases):
        row = SOUND[entity] | ({column: value} if column else {})
        shop.write(f"{number}.csv", csv_row(row))
        columns = {name: f'"{name}"' for name in row}
        feeds.append(Feed(f"case_{number}", entity, f"{number}.csv", columns, tuple(row)))
    shop.ingest(Source("shop", shop.folder, "Europe/Berlin", "EUR", "DE", tuple(feeds)))
    found = shop.warehouse.read(
        "SELECT loads.feed, reasons FROM ops.loads LEFT JOIN ops.quarantine USING (entity, file_sha256)"
    ).fillna("")
    reasons = dict(zip(found["feed"], found["reasons"], strict=True))
    return {case: reasons[f"case_{number}"] for number, case in enumerate(cases)}


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_sound_row_of_every_entity_passes(verdicts, entity: str) -> None:
    assert verdicts[entity, "", ""] == ""


@pytest.mark.parametrize(("entity", "column"), REQUIRED)
def test_a_row_without_a_required_column_is_quarantined_with_its_reason(verdicts, entity: str, column: str) -> None:
    assert verdicts[entity, column, " "] == f"{column}: missing, but required"


@pytest.mark.parametrize(("entity", "column", "value", "rule"), BROKEN)
def test_a_value_that_breaks_a_rule_is_quarantined_by_column_value_and_rule(
    verdicts, entity: str, column: str, value: str, rule: str
) -> None:
    assert verdicts[entity, column, value] == f"{column}: '{value}' {rule}"


def test_a_row_may_break_several_rules_and_keeps_its_text(shop) -> None:
    row = SOUND["order_lines"] | {"quantity": "abc", "unit_price": "-1", "product_id": ""}
    assert ingest_row(shop, "order_lines", row) == {
        1: "product_id: missing, but required; quantity: 'abc' is not a number; unit_price: '-1' must be at least 0"
    }
    [rejected] = shop.warehouse.read("SELECT * FROM ops.quarantine").to_dict("records")
    assert '"quantity":"abc"' in rejected["raw"]
    assert (rejected["source"], rejected["entity"], rejected["quarantined_at"]) == (
        "shop",
        "order_lines",
        datetime(2026, 11, 20, 12),
    )
    assert len(shop.bronze("order_lines")) == 1


def test_another_currency_is_quarantined_with_what_to_do(shop) -> None:
    assert ingest_row(shop, "order_lines", SOUND["order_lines"] | {"currency": "EUR"}) == {}
    reasons = ingest_row(shop, "order_lines", SOUND["order_lines"] | {"currency": "USD"})
    assert reasons == {
        1: "currency: 'USD' must be EUR, the currency of source shop: convert the amounts before they land, "
        "or give that currency a data folder of its own"
    }


def test_an_order_with_one_line_in_another_currency_goes_as_a_whole(shop) -> None:
    shop.write(
        "f.csv",
        "id,at,sku,qty,price,cur\n1,2025-03-01,A,1,2,EUR\n1,2025-03-01,B,1,2,USD\n1,2025-03-01,C,1,2,\n"
        "2,2025-03-01,A,1,2,EUR\n2,2025-03-01,A,1,2,\n,2025-03-01,A,1,2,USD\n,2025-03-01,A,1,2,EUR\n",
    )
    names = {"order_id": "id", "ordered_at": "at", "product_id": "sku", "quantity": "qty", "unit_price": "price"}
    columns = {**{ours: f'"{theirs}"' for ours, theirs in names.items()}, "currency": "cur", "channel": "'web'"}
    feed = Feed("f", "order_lines", "f.csv", columns, tuple(names.values()))
    shop.ingest(Source("shop", shop.folder, "Europe/Berlin", "EUR", "DE", (feed,)))
    rule = (
        "must be EUR, the currency of source shop: convert the amounts before they land, "
        "or give that currency a data folder of its own"
    )
    assert shop.reasons("order_lines") == {
        1: f"order_id: '1' is an order in USD: {rule}",
        2: f"currency: 'USD' {rule}",
        3: f"order_id: '1' is an order in USD: {rule}",
        6: f"order_id: missing, but required; currency: 'USD' {rule}",
        7: "order_id: missing, but required",
    }


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"status": "cancelled", "quantity": "0", "unit_price": ""}, ""),
        ({"status": "cancelled", "quantity": "", "unit_price": ""}, ""),
        ({"status": "cancelled", "quantity": "2", "unit_price": "5"}, ""),
        ({"status": "placed", "quantity": "0", "unit_price": ""}, "quantity: '0' must not be 0"),
        ({"status": "placed", "quantity": "2", "unit_price": ""}, "unit_price: missing, but required"),
        ({"status": "placed", "quantity": "", "unit_price": "5"}, "quantity: missing, but required"),
        ({"status": "cancelled", "quantity": "x", "unit_price": ""}, "quantity: 'x' is not a number"),
        ({"status": "cancelled", "quantity": "0", "unit_price": "-1"}, "unit_price: '-1' must be at least 0"),
    ],
)
def test_a_cancelled_line_needs_neither_quantity_nor_price(shop, changes: dict[str, str], reasons: str) -> None:
    found = ingest_row(shop, "order_lines", SOUND["order_lines"] | changes)
    assert found == ({1: reasons} if reasons else {})


@pytest.mark.parametrize(
    ("zone", "text", "allowed"),
    [
        ("UTC", "2026-11-21 12:00:00", True),
        ("UTC", "2026-11-21 12:00:01", False),
        ("Asia/Tokyo", "2026-11-21 21:00:00", True),
        ("Asia/Tokyo", "2026-11-21 21:00:01", False),
        ("Asia/Tokyo", "2026-11-21 12:00:01Z", False),
        ("UTC", "2026-11-21T13:00:00+01:00", True),
        ("UTC", "2026-11-21T13:00:01+01:00", False),
    ],
)
def test_a_day_after_landing_is_counted_in_utc(shop, zone: str, text: str, allowed: bool) -> None:
    reasons = ingest_row(shop, "orders", SOUND["orders"] | {"ordered_at": text}, timezone=zone)
    assert (reasons == {}) == allowed


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2025-03-01 14:22:05", "Europe/Berlin", datetime(2025, 3, 1, 13, 22, 5)),
        ("2025-07-01 14:22:05", "Europe/Berlin", datetime(2025, 7, 1, 12, 22, 5)),
        ("2025-07-01", "America/New_York", datetime(2025, 7, 1, 4)),
        ("2025-03-01T13:22:05Z", "Europe/Berlin", datetime(2025, 3, 1, 13, 22, 5)),
        ("2025-03-01 13:22:05.123456+05:30", "UTC", datetime(2025, 3, 1, 7, 52, 5, 123456)),
        ("2025-03-01 13:22:05-0300", "UTC", datetime(2025, 3, 1, 16, 22, 5)),
        ("2025-03-01 13:22:05+00", "Asia/Tokyo", datetime(2025, 3, 1, 13, 22, 5)),
    ],
)
@pytest.mark.parametrize("session_zone", ["UTC", "Pacific/Auckland"])
def test_a_moment_is_read_in_the_sources_zone_whatever_the_hosts_is(
    text: str, zone: str, utc: datetime, session_zone: str
) -> None:
    connection = duckdb.connect()
    connection.execute(f"SET TimeZone = '{session_zone}'")
    sql = f"SELECT {typed('x', 'TIMESTAMP', zone)} FROM (SELECT ? AS x)"
    assert connection.execute(sql, [text]).fetchone() == (utc,)


NUMBERS = st.from_regex(r"\A\s?[+-]?[0-9]{0,20}[.,]?[0-9]{0,5}([eE][+-]?[0-9]{1,3})?\s?\Z")
DAYS = st.from_regex(r"\A[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?\Z")


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(NUMBERS, DAYS, st.text(max_size=10)), kind=st.sampled_from(["DOUBLE", "BIGINT", "DATE"]))
def test_what_passes_as_a_type_is_what_silvers_plain_cast_makes_of_it(text: str, kind: str) -> None:
    strict, plain = (
        duckdb.execute(
            f"SELECT {typed('x', kind, 'UTC')}, try_cast(x AS {kind}) FROM (SELECT ? AS x)", [text]
        ).fetchone()
        or ()
    )
    assert strict is None or strict == plain
    if kind == "DOUBLE" and strict is not None:
        assert strict == float(text)


def test_judging_again_changes_nothing_and_a_new_contract_judges_anew(shop, now) -> None:
    row = SOUND["order_lines"] | {"currency": "USD"}
    ingest_row(shop, "order_lines", row)
    before = shop.warehouse.content_hash("ops.quarantine")
    ingest_row(shop, "order_lines", row)
    feed = Feed("f", "order_lines", "f.csv", {}, ())
    source = Source("shop", shop.folder, "Europe/Berlin", "EUR", "DE", (feed,))
    assert sum(judgement.rows for judgement in judge(shop.warehouse, source, now + timedelta(days=1))) == 0
    assert shop.warehouse.content_hash("ops.quarantine") == before
    dollars = Source("shop", shop.folder, "Europe/Berlin", "USD", "DE", (feed,))
    assert sum(judgement.rows for judgement in judge(shop.warehouse, dollars, now)) == 1
    assert shop.reasons("order_lines") == {}


def test_the_shared_contract_is_left_as_it_was(shop) -> None:
    before = repr(ENTITIES["order_lines"].contract.to_schema())
    ingest_row(shop, "order_lines", SOUND["order_lines"])
    assert repr(ENTITIES["order_lines"].contract.to_schema()) == before


def test_many_broken_rows_are_each_told_apart(shop) -> None:
    rows = "".join(f"{number},{'x' if number % 3 == 0 else number}\n" for number in range(1, 3001))
    shop.write("f.csv", "seller,cost\n" + rows)
    feed = Feed("f", "products", "f.csv", {"product_id": "seller", "unit_cost": "cost"}, ("seller", "cost"))
    shop.ingest(Source("shop", shop.folder, "Europe/Berlin", "EUR", "DE", (feed,)))
    reasons = shop.reasons("products")
    assert sorted(reasons) == list(range(3, 3001, 3))
    assert set(reasons.values()) == {"unit_cost: 'x' is not a number"}


def test_a_long_value_is_shortened_in_its_reason() -> None:
    assert reason("quantity", "9" * 500, "is not a number") == f"quantity: '{'9' * 120}…' is not a number"
