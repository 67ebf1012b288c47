with

order_days as (
    select
        product_id,
        channel,
        order_date as date,
        sum(quantity) as units,
        sum(quantity * unit_price) as revenue,
        0 as unpriced_units,
        median(unit_price) as unit_price
    from {{ ref('order_lines') }}
    where line_type = 'sale'
    group by product_id, channel, order_date
),

total_days as (
    select
        product_id,
        channel,
        date,
        units,
        coalesce(units * unit_price, 0) as revenue,
        if(unit_price is null, units, 0) as unpriced_units,
        unit_price
    from {{ ref('daily_sales') }}
    where units > 0
),

movements as (
    select * from order_days
    union all
    select * from total_days
)

select
    product_id,
    channel,
    date,
    sum(units) as units,
    sum(revenue) as revenue,
    sum(unpriced_units) as unpriced_units,
    median(unit_price) as unit_price
from movements
group by product_id, channel, date
