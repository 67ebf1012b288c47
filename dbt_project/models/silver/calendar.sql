with

loaded_days as (
    select order_date as date from {{ ref('order_lines') }}
    union
    select date from {{ ref('daily_sales') }}
),

span as (
    select
        min(loaded_days.date) as first_date,
        last_whole_day.date as last_date
    from loaded_days
    cross join {{ ref('last_whole_day') }} as last_whole_day
    group by last_whole_day.date
),

days as (
    select
        cast(unnest(generate_series(first_date, last_date + interval 400 day, interval 1 day)) as date) as date,
        last_date
    from span
),

events as (
    select
        date,
        string_agg(distinct event_name, ' + ' order by event_name) as event_name,
        string_agg(distinct event_type, ' + ' order by event_type) as event_type
    from {{ ref('calendar_events') }}
    where channel is null
    group by date
)

select
    days.date,
    isodow(days.date) as weekday,
    week(days.date) as week,
    month(days.date) as month,
    year(days.date) as year,
    isodow(days.date) >= 6 as is_weekend,
    days.date - days.last_date as days_ahead,
    days.date <= days.last_date as is_loaded,
    events.date is not null as has_event,
    events.event_name,
    events.event_type
from days
left join events using (date)
