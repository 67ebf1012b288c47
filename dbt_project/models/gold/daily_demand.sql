with

offers as (
    select *
    from {{ ref('daily_offers') }}
    where is_loaded
),

sold_days as (
    select * from {{ ref('sold_days') }}
),

empty_shelves as (
    select
        product_id,
        date
    from {{ ref('inventory_levels') }}
    where is_selling = 'yes'
    group by product_id, date
    having sum(on_hand_units) <= 0
),

demand as (
    select
        offers.*,
        coalesce(sold_days.units, 0) as units,
        coalesce(sold_days.revenue, 0)
        + coalesce(sold_days.unpriced_units * offers.offer_price, 0) as revenue,
        last_value(sold_days.unit_price ignore nulls) over (
            partition by offers.product_id, offers.channel order by offers.date
        ) as paid_price,
        empty_shelves.date is null as is_in_stock,
        unrecorded_days.date is null as is_recorded
    from offers
    left join sold_days using (product_id, channel, date)
    left join empty_shelves using (product_id, date)
    left join {{ ref('unrecorded_days') }} as unrecorded_days using (channel, date)
)

select
    product_id,
    channel,
    date,
    units,
    revenue,
    coalesce(offer_price, paid_price) as unit_price,
    is_on_promotion,
    discount_share,
    is_in_stock,
    is_recorded,
    offer_price is not null as is_price_planned,
    has_event,
    event_name
from demand
