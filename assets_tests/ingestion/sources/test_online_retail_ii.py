import pandas as pd
import pytest

from storecast.ingestion.sources.online_retail_ii import online_retail_ii

COLUMNS = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
MOMENT = pd.Timestamp("2009-12-01 07:45:00")
LINES = pd.DataFrame(
    [
        ("489434", "85048", "15CM CHRISTMAS GLASS BALL", 12, MOMENT, 6.95, 13085, "United Kingdom"),
        ("C489449", "22087", None, -12, MOMENT, 2.95, None, "Australia"),
        ("489450", "POST", "POSTAGE", 1, MOMENT, 0.0, 13085, "France"),
        ("A506401", "B", "Adjust bad debt", 1, MOMENT, -53594.36, None, "United Kingdom"),
    ],
    columns=COLUMNS,
).astype({"Customer ID": "Int64"})


def test_every_line_is_kept_word_for_word_and_only_a_negative_price_is_quarantined(shop) -> None:
    LINES.to_parquet(shop.folder / "online_retail_II.parquet")
    shop.ingest(online_retail_ii(shop.folder))
    rows = shop.bronze("order_lines")
    assert rows["order_id"].tolist() == ["489434", "C489449", "489450", "A506401"]
    assert rows["quantity"].tolist() == ["12", "-12", "1", "1"]
    assert rows["customer_id"].tolist() == ["13085", None, "13085", None]
    assert set(rows["channel"]) == {"online"}
    assert rows["line_number"].isna().all()
    assert shop.reasons("order_lines") == {4: "unit_price: '-53594.36' must be at least 0"}


def test_the_workbook_of_two_sheets_gives_the_same_rows(make_shop) -> None:
    parquet, workbook = make_shop("parquet"), make_shop("workbook")
    LINES.to_parquet(parquet.folder / "online_retail_II.parquet")
    with pd.ExcelWriter(workbook.folder / "online_retail_II.xlsx") as writer:
        LINES.iloc[:2].to_excel(writer, sheet_name="Year 2009-2010", index=False)
        LINES.iloc[2:].to_excel(writer, sheet_name="Year 2010-2011", index=False)
    columns = ["row_number", "order_id", "product_id", "quantity", "ordered_at", "customer_id", "country"]
    tables = []
    for shop in (parquet, workbook):
        shop.ingest(online_retail_ii(shop.folder))
        tables.append(shop.bronze("order_lines")[columns])
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.slow
def test_of_the_real_shop_every_line_is_in_bronze(shop, shared_data) -> None:
    source = online_retail_ii(shared_data / "online_retail_ii")
    assert shop.ingest(source) == 1_067_371
    assert set(shop.reasons("order_lines").values()) == {
        "unit_price: '-53594.36' must be at least 0",
        "unit_price: '-44031.79' must be at least 0",
        "unit_price: '-38925.87' must be at least 0",
        "unit_price: '-11062.06' must be at least 0",
    }
    assert len(shop.reasons("order_lines")) == 5
    assert shop.ingest(source) == 0
    file = next((shared_data / "online_retail_ii").glob("*.parquet"))
    first_difference = shop.warehouse.read(
        "SELECT count(*) AS rows FROM bronze.order_lines AS ours "
        f"FULL JOIN read_parquet('{file}', file_row_number = true) AS theirs "
        "ON ours.row_number = theirs.file_row_number + 1 "
        "WHERE ours.order_id IS DISTINCT FROM Invoice OR product_id IS DISTINCT FROM StockCode "
        "OR product_name IS DISTINCT FROM Description OR CAST(ours.quantity AS INT) IS DISTINCT FROM theirs.Quantity "
        "OR CAST(unit_price AS DOUBLE) IS DISTINCT FROM Price "
        "OR ordered_at IS DISTINCT FROM CAST(InvoiceDate AS VARCHAR)"
    )
    assert first_difference["rows"].tolist() == [0]
