import pandas as pd
import pytest

from storecast.warehouse import Warehouse
from storecast.warehouse.published import PublishedCopy
from storecast.warehouse.publishing import publish


@pytest.fixture
def warehouse(tmp_path) -> Warehouse:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    warehouse.replace_table("gold.sales", pd.DataFrame({"units": [1]}))
    return warehouse


def test_it_is_read_without_a_lease_whoever_holds_one(warehouse, tmp_path):
    pointer = tmp_path / "published" / "storecast.duckdb"
    publish(warehouse, pointer)
    before = {path.name for path in pointer.parent.iterdir()}
    with warehouse.lease.exclusive():
        assert PublishedCopy(pointer).read("select units from gold.sales")["units"].tolist() == [1]
    assert {path.name for path in pointer.parent.iterdir()} == before


def test_one_copy_answers_all_questions_of_a_reader_whatever_is_published_meanwhile(warehouse, tmp_path):
    pointer = tmp_path / "published" / "storecast.duckdb"
    publish(warehouse, pointer)
    reader = PublishedCopy(pointer)
    warehouse.replace_table("gold.sales", pd.DataFrame({"units": [2]}))
    publish(warehouse, pointer)
    assert reader.read("select units from gold.sales")["units"].item() == 1
    assert PublishedCopy(pointer).read("select units from gold.sales")["units"].item() == 2


def test_before_the_first_publication_there_is_no_table(tmp_path):
    nothing = PublishedCopy(tmp_path / "storecast.duckdb")
    assert not nothing.exists("gold.sales")
    with pytest.raises(FileNotFoundError, match="nothing is published"):
        nothing.read("select 1")


def test_nobody_writes_to_it(warehouse, tmp_path):
    pointer = tmp_path / "storecast.duckdb"
    publish(warehouse, pointer)
    with pytest.raises(TypeError, match="is a published copy"):
        PublishedCopy(pointer).replace_table("gold.sales", pd.DataFrame({"units": [3]}))
