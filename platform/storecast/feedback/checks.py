"""Checks of this room's tables."""

import dagster as dg

from storecast.feedback import contracts as f
from storecast.feedback.editions import newest_sql
from storecast.feedback.scores import SCORE_KEYS
from storecast.feedback.tracking_signals import worst_signals
from storecast.warehouse.checks import contract_checks
from storecast.warehouse.resources import WarehouseResource

LARGEST_BIASED_SHARE = 0.01
"""Of a level's nodes: of many, some are beyond their limit by chance."""
SHOWN = 20
RECENT_DAYS = 28
LIVE_SKILL_SQL = f"""
    with live as ({newest_sql("gold.forecast_accuracy", SCORE_KEYS, f"split = '{f.LIVE}'")})
    select level, sum(wape * units) / sum(units) as wape,
        sum(wape * units / (1 - skill_over_seasonal_naive)) / sum(units) as seasonal_naive_wape
    from live
    where demand_class = 'all' and horizon like '{f.DAY} %' and skill_over_seasonal_naive < 1
        and window_end_date > (select max(window_end_date) from live) - {RECENT_DAYS}
    group by level
    having sum(units) > 0
    order by level
"""


@dg.asset_check(asset=["ops", "tracking_signals"])
def forecasts_are_not_biased(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """At no level is more than one node in a hundred beyond its tracking signal's control limit; a warning."""
    signals = warehouse.read("select * from ops.tracking_signals order by level, node, channel")
    shares = signals.groupby("level")[f.IS_BIASED].mean()
    biased = worst_signals(signals[signals[f.IS_BIASED].astype(bool)])
    levels = shares[shares > LARGEST_BIASED_SHARE].index.tolist()
    worst = ", ".join(
        f"{row.level} {row.node}{' in ' + row.channel if row.channel else ''}" for row in biased.head(3).itertuples()
    )
    return dg.AssetCheckResult(
        passed=not levels,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(biased)} of {len(signals)} nodes are biased" + (f", the worst {worst}" if worst else ""),
        metadata={"levels": levels, "worst": dg.MetadataValue.md(biased.head(SHOWN).to_markdown(index=False))},
    )


@dg.asset_check(asset=["gold", "forecast_accuracy"])
def published_forecasts_beat_seasonal_naive(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Over the last four weeks the published forecasts' WAPE is below seasonal naive's at every level; a warning."""
    levels = warehouse.read(LIVE_SKILL_SQL)
    worse = levels[levels["wape"] >= levels["seasonal_naive_wape"]]
    return dg.AssetCheckResult(
        passed=worse.empty,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"worse at {len(worse)} of {len(levels)} levels" if len(levels) else "no sales arrived since",
        metadata={"levels": dg.MetadataValue.md(levels.to_markdown(index=False))},
    )


CHECKS = [*contract_checks(f.TABLES), forecasts_are_not_biased, published_forecasts_beat_seasonal_naive]
