"""The catalogue and its hostile ids."""

import datetime as dt
import unicodedata

import numpy as np

from storecast.simulation.catalogue import HOSTILE_PRODUCT_IDS, make_catalogue
from storecast.simulation.streams import Streams


def test_hostile_ids_are_all_different_though_some_look_the_same() -> None:
    assert len(set(HOSTILE_PRODUCT_IDS)) == len(HOSTILE_PRODUCT_IDS)
    assert len({unicodedata.normalize("NFC", item) for item in HOSTILE_PRODUCT_IDS}) == len(HOSTILE_PRODUCT_IDS) - 1
    assert max(map(len, HOSTILE_PRODUCT_IDS)) == 300


def test_hostile_ids_change_names_only_but_keep_their_products_on_sale() -> None:
    plain, hostile = (make_catalogue(30, dt.date(2024, 1, 1), Streams(5), hostile_ids=flag) for flag in (False, True))
    count = len(HOSTILE_PRODUCT_IDS)
    assert hostile.product_ids[:count] == HOSTILE_PRODUCT_IDS
    assert hostile.product_ids[count:] == plain.product_ids[count:]
    np.testing.assert_array_equal(plain.base_units, hostile.base_units)
    assert hostile.is_live(730)[:, :count].all()


def test_products_come_and_go_and_not_every_channel_has_each() -> None:
    catalogue = make_catalogue(400, dt.date(2024, 1, 1), Streams(5), hostile_ids=False)
    live = catalogue.is_live(730)
    assert 0.1 < (~live[0] & live.any(axis=0)).mean() < 0.35, "launched within the period"
    assert 0.05 < (live.any(axis=0) & ~live[-1]).mean() < 0.25, "discontinued within the period"
    assert catalogue.is_offered.any(axis=1).all()
    assert (catalogue.is_offered.mean(axis=0) < 0.97).all()
    np.testing.assert_allclose(catalogue.channel_share.sum(axis=1), 1)
    assert len(np.unique(catalogue.seller)) == 6
