with

offers as (
    select *
    from {{ ref('daily_offers') }}
    where not is_loaded
),

-- without a price list the last price stays
last_prices as (
    select
        product_id,
        channel,
        arg_max(unit_price, date) as unit_price
    from {{ ref('daily_demand') }}
    group by product_id, channel
)

select
    product_id,
    channel,
    offers.date,
    coalesce(offers.offer_price, last_prices.unit_price) as unit_price,
    offers.is_on_promotion,
    offers.discount_share,
    offers.offer_price is not null as is_price_planned,
    offers.has_event,
    offers.event_name
from offers
left join last_prices using (product_id, channel)
