-- The units and the revenue of all sales up to the last whole day are those of the demand table. Daily totals without
-- a price get theirs from the price list, so where there are any, only units can be compared.
with

sales as (
    select
        quantity as units,
        quantity * unit_price as revenue
    from {{ ref('order_lines') }}
    where line_type = 'sale' and order_date <= (select date from {{ ref('last_whole_day') }})

    union all

    select
        units,
        units * unit_price as revenue
    from {{ ref('daily_sales') }}
    anti join {{ ref('non_products') }} using (product_id)
    where units > 0 and date <= (select date from {{ ref('last_whole_day') }})
),

sold as (
    select
        coalesce(sum(units), 0) as units,
        coalesce(sum(revenue), 0) as revenue,
        count(*) > count(revenue) as has_unpriced
    from sales
),

demand as (
    select
        coalesce(sum(units), 0) as units,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('daily_demand') }}
)

select *
from sold
cross join demand
where
    abs(sold.units - demand.units) > 1e-9 * greatest(sold.units, 1)
    or (not sold.has_unpriced and abs(sold.revenue - demand.revenue) > 1e-9 * greatest(sold.revenue, 1))
