"""The champion against every other version that forecasts or shadows, on the very same series, origins and days.

Each side is what was published where that version published it, and else what it said as a shadow. Losses are absolute
errors in units; days that ended sold out or were not recorded are left out, and those of a feed that had stopped: its
sales of 0 would speak for whoever forecasts less. The sums are those that the gate of the registry reads.
"""

from typing import Final

from storecast.feedback.editions import exact_sum, newest_sql
from storecast.feedback.publications import SERIES_KEYS
from storecast.monitoring.contracts import DATA_FAULT, PORTFOLIO
from storecast.registry.contracts import CHAMPION_ALIAS, CHAMPION_TRAINING_SQL, WITH_ALIAS_SQL

KEYS: Final = "origin_date, product_id, channel, date"
SAID: Final = f"model_version, {KEYS}, mean_units, p05_units, p95_units"
IS_OVER: Final = "date <= (select max(date) from gold.daily_demand)"
WAS_SHADOWED: Final = "origin_date in (select origin_date from shadowed)"
SIDES: Final = ("champion", "challenger")
IS_KNOWN: Final = " and ".join(f"{side}.p05_units is not null" for side in SIDES)
"""Whether both sides have their interval: it is dropped of what was published long ago."""


def _side(side: str) -> str:
    is_inside = f"{IS_KNOWN} and units between {side}.p05_units and {side}.p95_units"
    return f"""
        {exact_sum(f"abs({side}.mean_units - units)")} as {side}_loss,
        {exact_sum(f"{side}.mean_units")} as {side}_units,
        count(*) filter ({is_inside}) as {side}_inside
    """


PAIRED_LOSSES: Final = f"""
    with versions as materialized ({WITH_ALIAS_SQL}),
    shadowed as materialized (
        select distinct origin_date from ops.shadow_forecasts semi join versions using (model_version)
    ),
    published as materialized (
        select {SAID} from ({newest_sql("ops.published_forecasts", SERIES_KEYS, WAS_SHADOWED)}) where {IS_OVER}
    ),
    said as materialized (
        select {SAID} from published semi join versions using (model_version)
        union all
        select {SAID} from ops.shadow_forecasts as shadow
        semi join versions using (model_version)
        anti join published using (model_version, {KEYS})
        where {IS_OVER}
    ),
    champion as (
        select said.* from said inner join versions using (model_version) where alias = '{CHAMPION_ALIAS}'
    ),
    challenger as (
        select said.* from said inner join versions using (model_version) where alias <> '{CHAMPION_ALIAS}'
    ),
    classes as (
        select product_id, channel, demand_class from ops.champions where training_id = {CHAMPION_TRAINING_SQL}
    ),
    stopped as (
        select scope, channel, change_date, report_date from ops.product_drift
        where kind = '{DATA_FAULT}' and is_drifted
    )
    select champion.model_version as champion_version, challenger.model_version as challenger_version,
        date, product_id, coalesce(demand_class, 'new') as demand_class,
        {exact_sum("units")} as units, count(*) filter ({IS_KNOWN}) as forecasts,
        {", ".join(_side(side) for side in SIDES)}
    from champion
    inner join challenger using ({KEYS})
    inner join gold.daily_demand as demand using (product_id, channel, date)
    left join classes using (product_id, channel)
    where demand.is_in_stock and demand.is_recorded and not exists (
        select 1 from stopped where demand.date between stopped.change_date and stopped.report_date
        and (stopped.channel = demand.channel or scope = '{PORTFOLIO}')
    )
    group by all
"""
"""The rows of `ops.paired_losses`: sums over a product's channels and the origins that forecast a day."""
