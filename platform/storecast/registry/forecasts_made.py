"""Whether the forecasts that people read were made with the versions that MLflow's aliases name."""

import pandas as pd

from storecast.registry import contracts as c
from storecast.registry.decisions import Aliases
from storecast.settings import Settings
from storecast.warehouse import Warehouse

MADE_WITH_SQL = f"""
    select distinct {c.MODEL_VERSION} from {c.DEMAND_FORECASTS}
    where {c.ORIGIN_DATE} = (select max({c.ORIGIN_DATE}) from {c.DEMAND_FORECASTS})
"""


def made_with(shop: Settings, patience_seconds: float) -> frozenset[str]:
    """The versions that the newest origin's forecasts were made with, in the warehouse and in what people read.

    A run that was killed before it published has left the two behind each other.
    """
    copies = (Warehouse(path, patience_seconds) for path in (shop.warehouse_path, shop.published_path))
    found = [copy.read(MADE_WITH_SQL)[c.MODEL_VERSION] for copy in copies if copy.exists(c.DEMAND_FORECASTS)]
    return frozenset(pd.concat(found)) if found else frozenset()


def are_behind(versions: frozenset[str], aliases: Aliases) -> bool:
    """Whether some were made with a version that is neither champion nor canary, or none with the champion.

    >>> are_behind(frozenset("1"), {"champion": "1", "canary": "2"}), are_behind(frozenset("12"), {"champion": "1"})
    (False, True)
    """
    wanted = {aliases.get(alias) for alias in c.FORECASTING}
    return c.CHAMPION_ALIAS in aliases and (not versions <= wanted or aliases[c.CHAMPION_ALIAS] not in versions)


def request_key(versions: frozenset[str], aliases: Aliases, history: pd.DataFrame) -> tuple[str | None, str]:
    """The key of the run that makes forecasts anew, or None and why none is due.

    A key names one move, by the last row of ops.promotions: a run that fails is not asked for again, a move back is
    another one. A canary whose share holds no product at all is asked for once. What a training moved, the forecasts
    that follow each training are made with.
    """
    canary = aliases.get(c.CANARY_ALIAS)
    if not are_behind(versions, aliases) and (canary is None or canary in versions):
        return None, f"forecasts were made with {', '.join(sorted(versions))}, as the aliases say"
    last = history.iloc[-1] if len(history) else None
    if last is not None and last[c.KIND] in {c.FIRST, c.SETTINGS_CHANGED}:
        return None, "a training moved the alias, and forecasts follow it anyway"
    moment = "" if last is None else pd.Timestamp(last[c.DECIDED_AT]).isoformat()
    return f"{aliases[c.CHAMPION_ALIAS]} {canary or ''} {moment}", "forecasts are behind the aliases"
