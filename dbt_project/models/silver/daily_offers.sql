{{ config(materialized='view') }}

with

calendar as (
    select * from {{ ref('calendar') }}
),

series as (
    select
        product_id,
        channel,
        min(date) as first_date
    from {{ ref('sold_days') }}
    group by product_id, channel
),

days as (
    select
        series.product_id,
        series.channel,
        calendar.date,
        calendar.is_loaded
    from series
    inner join calendar on series.first_date <= calendar.date
    where
        calendar.date <= (select max(date) + {{ var('horizon_days') }} from calendar where is_loaded)
),

-- a channel's own price list goes before the one of all channels
listed as (
    select
        days.*,
        coalesce(own.unit_price, shared.unit_price) as list_price
    from days
    asof left join (select * from {{ ref('prices') }} where channel is not null) as own
        on
            days.product_id = own.product_id
            and days.channel = own.channel
            and days.date >= own.valid_from_date
    asof left join (select * from {{ ref('prices') }} where channel is null) as shared
        on days.product_id = shared.product_id and days.date >= shared.valid_from_date
),

-- of promotions at the same time the deepest counts
promoted as (
    select
        series.product_id,
        series.channel,
        calendar.date,
        max(promotions.discount_share) as discount_share
    from {{ ref('promotions') }} as promotions
    inner join series
        on
            promotions.product_id = series.product_id
            and coalesce(promotions.channel, series.channel) = series.channel
    inner join calendar on calendar.date between promotions.start_date and promotions.end_date
    group by series.product_id, series.channel, calendar.date
),

channel_events as (
    select
        channels.channel,
        events.date,
        string_agg(distinct events.event_name, ' + ' order by events.event_name) as event_name
    from (select distinct channel from series) as channels
    inner join {{ ref('calendar_events') }} as events on coalesce(events.channel, channels.channel) = channels.channel
    group by channels.channel, events.date
)

select
    listed.product_id,
    listed.channel,
    listed.date,
    listed.is_loaded,
    round(listed.list_price * (1 - coalesce(promoted.discount_share, 0)), 4) as offer_price,
    promoted.date is not null as is_on_promotion,
    coalesce(promoted.discount_share, 0) as discount_share,
    channel_events.date is not null as has_event,
    channel_events.event_name
from listed
left join promoted using (product_id, channel, date)
left join channel_events using (channel, date)
