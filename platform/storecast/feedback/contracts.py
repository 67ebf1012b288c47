"""The tables this room reads and publishes: the columns that are its own are spelled here and nowhere else.

What is kept is never changed: what came out otherwise later is a row more, of the next *edition*. What was known at a
moment is the newest edition of that moment.
"""

from typing import Any, Final

import pandas as pd
import pandera.pandas as pa

from storecast.forecasting import contracts as c

EDITION: Final = "edition"
PUBLISHED_AT: Final = "published_at"
SCORED_AT: Final = "scored_at"
AS_OF_DATE: Final = "as_of_date"
NAIVE_UNITS: Final = "naive_units"
RMSSE_SCALE: Final = "rmsse_scale"
MASE_SCALE: Final = "mase_scale"
HORIZON: Final = "horizon"
FROM_DAY: Final = "from_day"
TRACKING_SIGNAL: Final = "tracking_signal"
CONTROL_LIMIT: Final = "control_limit"
IS_BIASED: Final = "is_biased"

LIVE: Final = "live"
WHOLE: Final = "all"
"""The horizon of a score over all days ahead."""
DAY: Final = "day"
WEEK: Final = "week"
SERIES_LEVEL: Final = c.LEVELS[0]
LIVE_LEVELS: Final = (SERIES_LEVEL, *c.SHOP_LEVELS)
SCORED_LEVELS: Final = (*c.LEVELS, *(level for level in c.SHOP_LEVELS if level not in c.LEVELS))
EDITION_WORDS: Final = "From 1; one more for each time it came out otherwise. The newest is what holds now."
NODE_WORDS: Final = "Product, category, seller or channel; `total` for the shop; the product of a series."


def _number(*, required: bool = True, **rules: Any) -> Any:
    """A number; `required` forbids null."""
    return pa.Field(nullable=not required, **rules)


class _Contract(pa.DataFrameModel):
    """Strict and without coercion: what does not fit is an error."""

    class Config:
        strict = True
        coerce = False


class Publication(_Contract):
    """What published forecasts of series and of levels have in common."""

    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    edition: int = _number(ge=1, description=EDITION_WORDS)
    published_at: pa.DateTime = pa.Field(description="UTC.")
    date: pa.DateTime
    horizon_day: int = _number(ge=1, description="Days after the origin, from 1.")
    mean_units: float = _number(ge=0, description="Expected units.")
    p05_units: float = _number(required=False, ge=0, description="5 % quantile of units; null once closed.")
    p10_units: float = _number(required=False, ge=0, description="10 % quantile of units; null once closed.")
    p25_units: float = _number(required=False, ge=0, description="25 % quantile of units; null once closed.")
    p50_units: float = _number(required=False, ge=0, description="50 % quantile of units; null once closed.")
    p75_units: float = _number(required=False, ge=0, description="75 % quantile of units; null once closed.")
    p90_units: float = _number(required=False, ge=0, description="90 % quantile of units; null once closed.")
    p95_units: float = _number(required=False, ge=0, description="95 % quantile of units; null once closed.")
    rmsse_scale: float = _number(required=False, gt=0, description="RMSSE's denominator as known at the origin.")
    mase_scale: float = _number(required=False, gt=0, description="MASE's denominator as known at the origin.")


class PublishedForecasts(Publication):
    """One row an origin, edition, product, channel and day ahead: the forecast, and all that was known with it.

    A series gets an edition more where it is published again for the same origin and anything of it differs: forecast,
    model, planned price or promotion. Quantiles are dropped once the forecast is closed (`Settings.correction_days`
    after its last day); all else stays for ever.
    """

    product_id: str
    channel: str
    category: str
    seller_id: str
    demand_class: str = pa.Field(description="By which its champion was chosen; `new` where it began after that.")
    model: str
    model_version: str = pa.Field(description="Version of the registered model whose training made it.")
    fallback_reason: str = pa.Field(nullable=True, description="Why not the champion; null where it was.")
    naive_units: float = _number(ge=0, description="Seasonal naive's forecast, from demand as known at the origin.")
    unit_price: float = _number(required=False, ge=0, description="The price planned for the day.")
    is_price_planned: bool
    is_on_promotion: bool = pa.Field(description="As planned for the day.")
    discount_share: float = _number(ge=0, le=1, description="As planned for the day.")
    has_event: bool
    event_name: str = pa.Field(nullable=True)


class PublishedLevelForecasts(Publication):
    """One row an origin, edition, level, node and day ahead: the sums of the series, with quantiles of their own."""

    level: str = pa.Field(isin=c.SHOP_LEVELS)
    node: str = pa.Field(description=NODE_WORDS)
    series: int = _number(ge=1, description="Products by channel that the node sums.")
    mean_revenue: float = _number(required=False, ge=0, description="Expected revenue; null without any price.")


class ForecastAccuracy(c.BacktestAccuracy):
    """One row an origin, level, demand class, model, horizon and edition; days that ended sold out are left out.

    - `split` `evaluation`: the back-tests of the newest training, all days ahead in one row (`horizon` `all`), made
      anew with each training.
    - `split` `live`: what was published, against the sales that have arrived since. A row each day ahead (`day 1`, …),
      each week (`week 1`, …) and all days together, as soon as its last day has arrived. When sales are corrected
      later, the row stays and the next edition stands beside it: take the newest, or the newest with a `scored_at` or
      `as_of_date` up to the moment of which you want to know what was known.

    Several rows are pooled by their units: sum(wape * units) / sum(units), and bias in the same way.
    """

    level: str = pa.Field(isin=SCORED_LEVELS)
    split: str = pa.Field(isin=(c.EVALUATION, LIVE), description="`evaluation`: back-tests; `live`: as published.")
    horizon: str = pa.Field(str_matches=r"^(all|day \d+|week \d+)$", description="`all`, `day 1` … or `week 1` …")
    from_day: int = _number(ge=1, description="First day ahead of the horizon, from 1.")
    edition: int = _number(ge=1, description=EDITION_WORDS)
    units: float = _number(required=False, ge=0, description="Units sold that WAPE is over; null for back-tests.")
    as_of_date: pa.DateTime = pa.Field(nullable=True, description="Last day loaded when scored; null for back-tests.")
    scored_at: pa.DateTime = pa.Field(nullable=True, description="UTC; null for back-tests.")

    @pa.dataframe_check(error="a live score says when it was known")
    @classmethod
    def live_scores_say_when(cls, scores: pd.DataFrame) -> bool:
        """Whether every live row has its moment and its units."""
        return bool(scores.loc[scores[c.SPLIT] == LIVE, [AS_OF_DATE, SCORED_AT, c.UNITS]].notna().all(axis=None))


class TrackingSignals(_Contract):
    """One row a level and node: whether the published forecasts have lately been too high, or too low, all the time.

    Made anew with each publication.
    """

    as_of_date: pa.DateTime = pa.Field(description="Last day loaded.")
    level: str = pa.Field(isin=LIVE_LEVELS)
    node: str = pa.Field(description=NODE_WORDS)
    channel: str = pa.Field(nullable=True, description="The series' channel; null above the series.")
    errors: int = _number(ge=1, description="Origins whose error counts, one an origin.")
    smoothed_error_units: float = _number(description="Mean of forecast less sold, the newest weighing most.")
    smoothed_absolute_error_units: float = _number(ge=0, description="Mean of their absolute values.")
    tracking_signal: float = _number(
        required=False,
        ge=-1.000001,
        le=1.000001,
        description="The one over the other: 1 always too much, -1 too little.",
    )
    control_limit: float = _number(required=False, gt=0, description="How far from 0 chance alone hardly takes it.")
    is_biased: bool


class PairedLosses(_Contract):
    """One row a pair of versions, day, product and demand class: sums over series and origins that both forecast."""

    champion_version: str = pa.Field(description="The version with the alias champion.")
    challenger_version: str = pa.Field(description="Any other with an alias.")
    date: pa.DateTime
    product_id: str
    demand_class: str = pa.Field(description="By which the champion's training chose; `new` where it began after that.")
    champion_loss: float = _number(ge=0, description="Absolute error in units.")
    challenger_loss: float = _number(ge=0, description="Absolute error in units.")
    units: float = _number(ge=0, description="Units sold, once for each origin.")
    forecasts: int = _number(ge=0, description="Forecasts of which both intervals are known.")
    champion_units: float = _number(ge=0, description="Expected units.")
    challenger_units: float = _number(ge=0, description="Expected units.")
    champion_inside: int = _number(ge=0, description="Forecasts whose 90 % interval held what was sold.")
    challenger_inside: int = _number(ge=0, description="Forecasts whose 90 % interval held what was sold.")


TABLES: Final = {
    "gold.forecast_accuracy": ForecastAccuracy,
    "ops.paired_losses": PairedLosses,
    "ops.published_forecasts": PublishedForecasts,
    "ops.published_level_forecasts": PublishedLevelForecasts,
    "ops.tracking_signals": TrackingSignals,
}
