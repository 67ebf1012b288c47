"""What a run says at its end: rows, products, accuracy by level, and where to look next."""

from storecast.settings import Settings
from storecast.warehouse import PublishedCopy, Tables
from storecast.warehouse.published import ask_newest

ROWS = """
select sum(rows_in) as rows_in, sum(rows_silver) as kept, sum(rows_quarantined) as quarantined,
       sum(rows_duplicate) as duplicates
from ops.reconciliation
"""
FORECAST = """
select count(distinct product_id) as products, count(distinct (product_id, channel)) as series,
       min(date) as first_date, max(date) as last_date,
       count(distinct case when fallback_reason is not null then (product_id, channel) end) as fallbacks
from gold.demand_forecasts
where origin_date = (select max(origin_date) from gold.demand_forecasts)
"""
ACCURACY = """
select level, model, avg(wape) as wape, avg(bias) as bias, avg(coverage_90) as coverage_90,
       count(distinct origin_date) as origins, min(window_start_date) as first_date, max(window_end_date) as last_date
from gold.forecast_accuracy
where demand_class = 'all' and model in ('champion', 'seasonal_naive') and split = 'evaluation'
group by level, model
"""
LIVE_DAYS = 28
LIVE = f"""
with live as (
    select * from gold.forecast_accuracy
    where split = 'live' and demand_class = 'all' and horizon like 'day %'
    qualify edition = max(edition) over (partition by origin_date, level, horizon)
)
select level, sum(wape * units) / sum(units) as wape, sum(bias * units) / sum(units) as bias,
       count(distinct origin_date) as origins, min(window_start_date) as first_date, max(window_end_date) as last_date
from live
where window_end_date > (select max(window_end_date) from live) - {LIVE_DAYS}
group by level
having sum(units) > 0
"""
OPEN_INCIDENTS = """
select kind, severity, count(*) as incidents, min(opened_at) as opened_at, min_by(subject, opened_at) as subject,
       min_by(message, opened_at) as message, min_by(next_step, opened_at) as next_step
from ops.alerts where resolved_at is null group by kind, severity order by severity, opened_at, kind
"""
MISSING = "select message, next_step from ops.data_gaps"
MOST_MISSING = 10
VERSIONS = """
select alias, model_version, origin_date from ops.registered_models where alias is not null
order by alias <> 'champion', alias
"""
LEVELS = ("product_channel", "product", "category", "channel", "total")


def of(settings: Settings) -> str:
    """Return the summary of what is published, and of what is wrong at this moment; nothing is waited for."""
    published = PublishedCopy.of(settings)
    incidents, _ = ask_newest(settings, _incidents)
    missing, _ = ask_newest(settings, _missing)
    if not published.exists("gold.demand_forecasts"):
        nothing_yet = f"{settings.data_dir} holds no forecast yet: `storecast run` makes one."
        return "\n".join([nothing_yet, *missing, *incidents])
    parts = [
        _rows(published),
        *missing,
        _products(published),
        *_versions(published),
        "",
        _accuracy(published),
        *_live(published),
    ]
    return "\n".join([*parts, *incidents, "", _next(settings)])


def _rows(warehouse: Tables) -> str:
    row = warehouse.read(ROWS).iloc[0]
    return (
        f"Rows in {row.rows_in:,.0f}: kept {row.kept:,.0f}, quarantined {row.quarantined:,.0f}, "
        f"duplicates {row.duplicates:,.0f}."
    )


def _missing(tables: Tables) -> list[str]:
    """Return what is missing of the data, a line each."""
    if not tables.exists("ops.data_gaps"):  # the folder of an earlier version
        return []
    gaps = tables.read(MISSING)
    lines = [f"  {row.message}; next: {row.next_step}" for row in gaps.head(MOST_MISSING).itertuples()]
    if len(gaps) > MOST_MISSING:
        lines.append(f"  and {len(gaps) - MOST_MISSING:,} more in ops.data_gaps")
    return ["Missing:", *lines] if lines else []


def _products(warehouse: Tables) -> str:
    row = warehouse.read(FORECAST).iloc[0]
    return (
        f"Forecast {row.products:,} products in {row.series:,} series, {row.first_date:%Y-%m-%d} to "
        f"{row.last_date:%Y-%m-%d}; {row.fallbacks:,} series by a recorded fallback."
    )


def _versions(warehouse: Tables) -> list[str]:
    """Return which version of the model forecasts, and which others are beside it."""
    if not warehouse.exists("ops.promotions"):  # the folder of an earlier version
        return []
    known = warehouse.read(VERSIONS).itertuples()
    told = [f"{row.alias} is version {row.model_version}, trained to {row.origin_date:%Y-%m-%d}" for row in known]
    return [f"Models: {'; '.join(told) or 'none is registered, the next `storecast run` trains'}."]


def _accuracy(warehouse: Tables) -> str:
    table = warehouse.read(ACCURACY).set_index(["level", "model"])
    first, last = table.first_date.min(), table.last_date.max()
    head = (
        f"Accuracy on {table.origins.max()} origins that had no part in any choice, "
        f"{first:%Y-%m-%d} to {last:%Y-%m-%d}:\n"
        f"  {'level':<18}{'WAPE':>8}{'seasonal naive':>16}{'skill':>8}{'bias':>8}{'90 % covers':>13}"
    )
    lines = [head]
    for level in LEVELS:
        champion, naive = table.loc[(level, "champion")], table.loc[(level, "seasonal_naive")]
        lines.append(
            f"  {level:<18}{champion.wape:>8.1%}{naive.wape:>16.1%}{_skill(champion.wape, naive.wape):>8}"
            f"{champion.bias:>8.1%}{champion.coverage_90:>13.1%}"
        )
    return "\n".join(lines)


def _skill(wape: float, naive_wape: float) -> str:
    """The skill over seasonal naive as text; where that makes no error there is none to tell."""
    return f"{1 - wape / naive_wape:.1%}" if naive_wape else "–"


def _live(warehouse: Tables) -> list[str]:
    """What became of published forecasts of which sales have arrived in the last four weeks, if any have."""
    if not warehouse.exists("ops.published_forecasts"):  # the folder of an earlier version
        return []
    table = warehouse.read(LIVE).set_index("level")
    if table.empty:
        return []
    lines = [
        f"\nPublished forecasts against the sales since, {table.first_date.min():%Y-%m-%d} to "
        f"{table.last_date.max():%Y-%m-%d}, from {table.origins.max()} origin(s):",
        f"  {'level':<18}{'WAPE':>8}{'bias':>8}",
    ]
    shown = [*LEVELS[:-1], "seller", LEVELS[-1]]
    return lines + [
        f"  {level:<18}{table.loc[level, 'wape']:>8.1%}{table.loc[level, 'bias']:>8.1%}"
        for level in shown
        if level in table.index
    ]


def _incidents(warehouse: Tables) -> list[str]:
    """Return what is wrong now, a line and a next step for each kind, as the last look has found it."""
    lines = []
    for row in warehouse.read(OPEN_INCIDENTS).itertuples() if warehouse.exists("ops.alerts") else ():
        others = f" and {row.incidents - 1:,} more" if row.incidents > 1 else ""
        lines.append(f"  {row.severity}: {row.kind.replace('_', ' ')}: {row.subject}{others}: {row.message}")
        lines.append(f"    since {row.opened_at:%Y-%m-%d %H:%M} UTC; next: {row.next_step}")
    return ["", "Open incidents:", *lines] if lines else []


def _next(settings: Settings) -> str:
    return (
        f"Look next: `make up` opens the graph (http://127.0.0.1:{settings.dagster_port}) and the models "
        f"(http://127.0.0.1:{settings.mlflow_port});\n  query {settings.published_path} read-only with DuckDB; "
        "`storecast quarantine` lists the rows that were set aside."
    )
