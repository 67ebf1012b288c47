with

series as (
    select * from {{ ref('series') }}
),

calendar as (
    select * from {{ ref('calendar') }}
),

own_prices as (
    select *
    from {{ ref('prices') }}
    where channel is not null
),

shared_prices as (
    select *
    from {{ ref('prices') }}
    where channel is null
),

days as (
    select
        series.product_id,
        series.channel,
        calendar.date,
        calendar.is_loaded
    from series
    inner join calendar on series.first_sale_date <= calendar.date
    where
        calendar.days_ahead <= {{ var('horizon_days') }}
        and series.first_sale_date <= calendar.date - calendar.days_ahead::integer
),

-- a channel's own price list goes before the one of all channels
listed as (
    select
        days.*,
        coalesce(own_prices.unit_price, shared_prices.unit_price) as list_price
    from days
    asof left join own_prices
        on
            days.product_id = own_prices.product_id
            and days.channel = own_prices.channel
            and days.date >= own_prices.valid_from_date
    asof left join shared_prices
        on days.product_id = shared_prices.product_id and days.date >= shared_prices.valid_from_date
)

select
    listed.product_id,
    listed.channel,
    listed.date,
    listed.is_loaded,
    round(listed.list_price * (1 - coalesce(promotion_days.discount_share, 0)), 4) as offer_price,
    promotion_days.date is not null as is_on_promotion,
    coalesce(promotion_days.discount_share, 0) as discount_share,
    channel_events.date is not null as has_event,
    channel_events.event_name
from listed
left join {{ ref('promotion_days') }} as promotion_days using (product_id, channel, date)
left join {{ ref('channel_events') }} as channel_events using (channel, date)
