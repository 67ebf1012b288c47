"""Reading what was published: nobody waits."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from storecast.settings import Settings
from storecast.warehouse import PublishedCopy, Tables, Warehouse
from storecast.warehouse.published import ask_newest
from storecast.warehouse.publishing import publish


@pytest.fixture
def settings(tmp_path) -> Settings:
    own = Settings(data_dir=tmp_path / "data of 'a shop'")
    Warehouse.of(own).replace_table("gold.sales", pd.DataFrame({"units": [1]}))
    publish(Warehouse.of(own), own.published_path)
    Warehouse.of(own).replace_table("gold.sales", pd.DataFrame({"units": [2]}))
    return own


def units(tables: Tables) -> int:
    assert tables.exists("gold.sales")
    return int(tables.read("select units from gold.sales where units > ?", [0])["units"].item())


def test_the_copy_answers_while_a_writer_is_at_work(settings):
    with Warehouse.of(settings).writing():
        assert units(PublishedCopy.of(settings)) == 1


def test_one_copy_answers_all_questions_whatever_is_published_meanwhile(settings):
    copy = PublishedCopy.of(settings)
    assert units(copy) == 1
    publish(Warehouse.of(settings), settings.published_path)
    assert units(copy) == 1
    assert units(PublishedCopy.of(settings)) == 2


def test_a_free_warehouse_answers_and_else_the_copy(settings):
    assert ask_newest(settings, units) == (2, False)
    with Warehouse.of(settings).writing(), ThreadPoolExecutor(1) as other:
        assert other.submit(ask_newest, settings, units).result() == (1, True)


def test_a_stranger_that_has_the_warehouse_open_keeps_nobody_from_an_answer(settings, start_python):
    code = "import duckdb, sys, time; held = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(600)"
    stranger = start_python(code, settings.warehouse_path)
    assert stranger.stdout.readline() == "open\n"
    assert ask_newest(settings, units) == (1, True)


def test_where_nothing_is_published_no_table_is_there_and_reading_says_what_to_do(tmp_path):
    copy = PublishedCopy.of(Settings(data_dir=tmp_path))
    assert not copy.exists("gold.sales")
    with pytest.raises(FileNotFoundError, match=r"nothing is published at .*`storecast run` makes it"):
        copy.read("from gold.sales")


def test_a_damaged_copy_is_named_with_the_way_out(settings):
    target = settings.published_path.resolve()
    target.write_bytes(target.read_bytes()[:5000])
    with pytest.raises(RuntimeError, match=rf"{target.name} cannot be opened: .* Remove it: `storecast run` publishes"):
        PublishedCopy.of(settings).read("from gold.sales")
