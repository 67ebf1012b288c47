from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from storecast.ingestion.sources import SourceFileError
from storecast.ingestion.sources.files import files

HEAD = 'timezone = "Europe/Vienna"\ncurrency = "EUR"\ncountry = "AT"\nfolder = "in"\n'
LINES = """
[[feeds]]
name = "till"
entity = "order_lines"
files = "{pattern}"
{settings}
columns.order_id = "Nr"
columns.ordered_at = "Datum"
columns.product_id = "Artikel \\"A\\"; --"
columns.quantity = "Menge"
columns.unit_price = "Preis"
constants = {{ channel = "it's a shop" }}
"""


def config(shop, feeds: str, head: str = HEAD) -> Path:
    (shop.folder / "in").mkdir(exist_ok=True)
    return shop.write("my_shop.toml", head + feeds)


def lines(pattern: str, settings: str = "") -> str:
    return LINES.format(pattern=pattern, settings=settings)


def test_a_csv_with_its_own_words_signs_and_encoding_is_read(shop) -> None:
    mapping = config(
        shop, lines("*.csv", 'delimiter = ";"\ndecimal = ","\nencoding = "cp1252"\ndate_format = "%d.%m.%Y %H:%M"')
    )
    header = 'Nr;Datum;"Artikel ""A""; --";Menge;Preis;Übrig\n'
    shop.write("in/a.csv", (header + "1;01.03.2025 14:22;007;1.000,5;2,50;ü\n").encode("cp1252"))
    assert shop.ingest(files(mapping)) == 1
    [row] = shop.bronze("order_lines").to_dict("records")
    assert (row["order_id"], row["ordered_at"], row["product_id"]) == ("1", "2025-03-01 14:22:00", "007")
    assert (row["quantity"], row["unit_price"], row["channel"]) == ("1000.5", "2.50", "it's a shop")
    assert '"Übrig":"ü"' in row["raw"]
    assert shop.reasons("order_lines") == {}


def test_a_workbook_and_a_parquet_file_are_read(shop) -> None:
    mapping = config(shop, lines("*.xlsx", 'sheet = "Verkauf"') + lines("*.parquet").replace('"till"', '"web"'))
    book = openpyxl.Workbook()
    book.create_sheet("Verkauf").append(["Nr", "Datum", 'Artikel "A"; --', "Menge", "Preis"])
    book["Verkauf"].append([1, pd.Timestamp("2025-03-01 14:22"), "007", 2, 2.5])
    book.save(shop.folder / "in/a.xlsx")
    row = {"Nr": 2, "Datum": pd.Timestamp("2025-03-01"), 'Artikel "A"; --': "x", "Menge": 1.0, "Preis": 2.5}
    pd.DataFrame([row]).to_parquet(shop.folder / "in/b.parquet")
    shop.ingest(files(mapping))
    rows = shop.bronze("order_lines")[["feed", "order_id", "ordered_at", "product_id", "quantity", "unit_price"]]
    assert rows.to_numpy().tolist() == [
        ["till", "1", "2025-03-01 14:22:00", "007", "2", "2.5"],
        ["web", "2", "2025-03-01 00:00:00", "x", "1.0", "2.5"],
    ]
    assert shop.reasons("order_lines") == {}


def test_json_lines_are_mapped_by_path_and_words_by_values(shop) -> None:
    mapping = config(
        shop,
        """
[[feeds]]
entity = "orders"
files = "*.jsonl"
columns = { order_id = "$.id", ordered_at = "$.at", customer_id = "$.who.id", status = "$.state" }
constants = { channel = "web" }
values.status = { "weg" = "shipped" }
""",
    )
    shop.write("in/a.jsonl", '{"id": "1", "at": "2025-03-01T10:00:00+01:00", "who": {"id": "é"}, "state": "weg"}\n')
    shop.ingest(files(mapping))
    [row] = shop.bronze("orders").to_dict("records")
    assert (row["order_id"], row["customer_id"], row["status"], row["channel"]) == ("1", "é", "shipped", "web")


def test_a_file_that_lacks_a_column_is_set_aside_naming_file_column_and_the_closest(shop) -> None:
    mapping = config(shop, lines("*.csv"))
    shop.write("in/good.csv", 'Nr,Datum,"Artikel ""A""; --",Menge,Preis\n1,2025-03-01,x,1,2\n')
    shop.write("in/bad.csv", 'Nr,Datum,"Artikel ""A""; --",menge,Preis\n1,2025-03-01,x,1,2\n')
    shop.ingest(files(mapping))
    [note] = shop.warehouse.read("SELECT note FROM ops.landed_files WHERE state = 'set aside'")["note"]
    assert note == (
        "bad.csv (feed till) has no column 'Menge'; "
        "it has 'Nr', 'Datum', 'Artikel \"A\"; --', 'menge', 'Preis'; did you mean 'menge'?"
    )
    assert len(shop.bronze("order_lines")) == 1


def test_values_that_do_not_parse_are_quarantined_by_column_value_file_and_row(shop) -> None:
    mapping = config(shop, lines("*.csv"))
    shop.write("in/a.csv", 'Nr,Datum,"Artikel ""A""; --",Menge,Preis\n1,2025-03-01,x,1,2\n2,01.03.2025,x,"1;5",2\n')
    shop.ingest(files(mapping))
    rejected = shop.warehouse.read(
        "SELECT path, row_number, reasons FROM ops.quarantine JOIN ops.landed_files USING (file_sha256)"
    )
    assert rejected.to_numpy().tolist() == [
        [
            "a.csv",
            2,
            "ordered_at: '01.03.2025' is not a moment (ISO 8601, e.g. 2025-03-01 14:22:05); "
            "quantity: '1;5' is not a number",
        ]
    ]


@pytest.mark.parametrize(
    ("feeds", "head", "message"),
    [
        ("", HEAD, "feeds: Field required"),
        (lines("*.csv"), HEAD.replace("Vienna", "Wien"), "timezone 'Europe/Wien' is unknown"),
        (lines("*.csv"), HEAD.replace("EUR", "Euro"), "currency: String should match pattern"),
        (lines("../*.csv"), HEAD, "feeds 1 files: Value error, files '../\\*.csv' leaves the folder"),
        (lines("*.csv", 'encoding = "klingon"'), HEAD, "feeds 1 encoding: Value error, encoding 'klingon' is unknown"),
        (lines("*.csv", 'encoding = "rot13"'), HEAD, "encoding 'rot13' is unknown, or none in which files are written"),
        (lines("*.csv", 'encoding = "zlib"'), HEAD, "encoding 'zlib' is unknown, or none in which files are written"),
        (lines("*.csv", 'encoding = "unicode_escape"'), HEAD, "encoding 'unicode_escape' is unknown, or none"),
        (lines("*.csv", 'encoding = "undefined"'), HEAD, "encoding 'undefined' is unknown, or none"),
        (
            lines("*.csv").replace("quantity", "qty"),
            HEAD,
            "feeds 1: Value error, order_lines has no column 'qty'; it has",
        ),
        (
            lines("*.csv").replace("order_lines", "lines"),
            HEAD,
            "feeds 1: Value error, entity 'lines' is unknown; there are",
        ),
        (lines("*.csv").replace("channel", "country"), HEAD, "order_lines needs channel: map a column to it"),
        (lines("*.csv", 'delimeter = ";"'), HEAD, "feeds 1 delimeter: Extra inputs are not permitted"),
        (lines("*.csv") * 2, HEAD, "two feeds are called till"),
        (lines("*.csv", 'price_is = "sum"'), HEAD, "feeds 1 price_is: Input should be 'unit' or 'line_total'"),
        (lines("*.csv", 'discount = { column = "off" }'), HEAD, "feeds 1 discount of: Field required"),
        (
            lines("*.csv", 'tax = { is = "included" }'),
            HEAD,
            "feeds 1 tax: Value error, tax needs a `column` or a `rate`",
        ),
        (
            lines("*.csv", 'selling_locations = ["A"]'),
            HEAD,
            "feeds 1: Value error, selling_locations is a key of inventory_levels, not of order_lines: take it out",
        ),
        ("[[feeds", HEAD, "Expected ']]'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_by_file_and_key(shop, feeds: str, head: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"(?s)my_shop\.toml: .*{message}"):
        files(config(shop, feeds, head))


def test_a_missing_mapping_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"there is no mapping at .*no\.toml: name your TOML file with --config"
    ):
        files(tmp_path / "no.toml")


def test_a_date_format_that_is_none_is_an_error_naming_file_and_feed(shop) -> None:
    mapping = config(shop, lines("*.csv", 'date_format = "%Q"'))
    shop.write("in/a.csv", 'Nr,Datum,"Artikel ""A""; --",Menge,Preis\n1,2025-03-01,x,1,2\n')
    with pytest.raises(SourceFileError, match=r"a\.csv \(feed till\) does not fit its mapping: .*format specifier"):
        shop.ingest(files(mapping))
