"""Spoiled order lines: about one in a hundred, each of a known kind."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from storecast.simulation.contracts import CHANNELS, WEBSHOP
from storecast.simulation.orders import OrderLines
from storecast.simulation.streams import Streams

QUARANTINE: Final = "quarantine"
DUPLICATE: Final = "duplicate"
DIRTY_SHARE: Final = 0.01


@dataclass(frozen=True)
class Kind:
    """One way of being spoiled, and what a good reader does about it."""

    name: str
    expected: str


KINDS: Final = (
    Kind("duplicate_line", DUPLICATE),
    Kind("quantity_text", QUARANTINE),
    Kind("quantity_empty", QUARANTINE),
    Kind("quantity_zero", QUARANTINE),
    Kind("price_negative", QUARANTINE),
    Kind("date_unparseable", QUARANTINE),
    Kind("sku_missing", QUARANTINE),
    Kind("date_2099", QUARANTINE),
    Kind("date_1970", QUARANTINE),
    Kind("currency_usd", QUARANTINE),
)
"""Of order lines; only the webshop's file names a currency, so only there can it be a foreign one."""
PRICE_LIST_ZERO: Final = Kind("price_list_zero", QUARANTINE)

_CODES: Final = {kind.name: code for code, kind in enumerate(KINDS)}


def code(name: str) -> int:
    """Return a kind's position in KINDS.

    >>> code("quantity_text")
    1
    """
    return _CODES[name]


def add_dirt(lines: OrderLines, streams: Streams) -> OrderLines:
    """Add spoiled copies of some lines: the clean lines stay, so that they alone are the truth.

    A duplicate repeats a line within its order, and comes before it, for of rows with one key the last wins. Every
    other kind is an order of its own, right after the one it was copied from. Kinds take turns within a channel.
    """
    chosen = np.flatnonzero(streams.of("dirt").random(len(lines)) < DIRTY_SHARE)
    copies = replace(lines.take(chosen), dirt=_kinds(lines.channel[chosen]))
    is_duplicate = copies.dirt == code("duplicate_line")
    after = np.where(is_duplicate, 0, np.arange(len(copies)) + 1)
    copies = replace(copies, line_number=np.where(is_duplicate, copies.line_number, 1))
    everything = lines.joined(copies)
    place = np.concatenate([np.zeros(len(lines), dtype="int64"), after])
    is_clean = everything.dirt < 0
    order = np.lexsort((is_clean, everything.line_number, place, everything.basket))
    everything, place = everything.take(order), place[order]
    change = np.append(True, (np.diff(everything.basket) != 0) | (np.diff(place) != 0))[: len(everything)]
    return replace(everything, basket=np.cumsum(change))


def _kinds(channel: np.ndarray) -> np.ndarray:
    """Return a kind for each spoiled line by turns within its channel."""
    kind = np.empty(len(channel), dtype="int64")
    for number, name in enumerate(CHANNELS):
        here = channel == number
        kind[here] = np.arange(here.sum()) % (len(KINDS) if name == WEBSHOP else len(KINDS) - 1)
    return kind
