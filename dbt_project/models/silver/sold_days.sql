with

order_days as (
    select
        product_id,
        channel,
        order_date as date,
        {{ exact_sum('quantity') }} as units,
        {{ exact_sum('quantity * unit_price') }} as revenue,
        0 as unpriced_units,
        median(unit_price) as unit_price
    from {{ ref('order_lines') }}
    where line_type = 'sale'
    group by product_id, channel, order_date
),

sold_totals as (
    select daily_sales.*
    from {{ ref('daily_sales') }} as daily_sales
    anti join {{ ref('non_products') }} using (product_id)
    where daily_sales.units > 0
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
    from sold_totals
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
    {{ exact_sum('units') }} as units,
    {{ exact_sum('revenue') }} as revenue,
    {{ exact_sum('unpriced_units') }} as unpriced_units,
    median(unit_price) as unit_price
from movements
group by product_id, channel, date
