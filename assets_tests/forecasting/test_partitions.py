import unicodedata

import pytest
from dagster._core.definitions.partitions.utils.base import INVALID_PARTITION_SUBSTRINGS
from hypothesis import given
from hypothesis import strategies as st

from storecast.forecasting.partitions import own_key, partition_keys

HOSTILE = ["x') OR 1=1 --", "../../etc/passwd", "it's", 'a"b', "007", "7", "a\nb", "a%0Ab", "...", "%2E", "p" * 300]


@given(st.lists(st.text(max_size=30), unique=True, max_size=30))
def test_no_two_products_share_a_key(product_ids):
    keys = partition_keys(product_ids, limit=100, groups=10)
    assert keys["partition_key"].is_unique
    assert sorted(keys["product_id"]) == sorted(product_ids)


@given(st.text(max_size=400))
def test_a_key_holds_nothing_that_dagster_refuses(product_id):
    key = own_key(product_id)
    assert key
    assert len(key) <= 200
    assert not any(refused in key for refused in INVALID_PARTITION_SUBSTRINGS)


def test_hostile_ids_each_have_their_own_key():
    ids = [*HOSTILE, unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café"), "p" * 300 + "x", ""]
    keys = partition_keys(ids, limit=100, groups=10)
    assert keys["partition_key"].nunique() == len(ids)
    assert dict(keys.values)["007"] == "007"


def test_dagster_takes_the_keys():
    import dagster as dg

    keys = partition_keys(HOSTILE, limit=100, groups=10)["partition_key"].tolist()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("product", keys)
        assert set(instance.get_dynamic_partitions("product")) == set(keys)


def test_above_the_limit_products_share_groups_that_stay_as_the_catalogue_grows():
    few = partition_keys([f"p{number}" for number in range(50)], limit=10, groups=10).set_index("product_id")[
        "partition_key"
    ]
    many = partition_keys([f"p{number}" for number in range(500)], limit=10, groups=10).set_index("product_id")[
        "partition_key"
    ]
    assert few.nunique() <= 10
    assert many.nunique() == 10
    assert (many[few.index] == few).all()
    assert few.str.fullmatch(r"group-\d{3}").all()


def test_a_limit_below_one_is_an_error():
    with pytest.raises(ValueError, match="limit is 0"):
        partition_keys(["a"], limit=0, groups=1)
