-- The units and the revenue of all sales, line by line, are those of the demand table, day by day.
with

sales as (
    select quantity as units, quantity * unit_price as revenue
    from {{ ref('order_lines') }}
    where line_type = 'sale'

    union all

    select units, coalesce(units * unit_price, 0) as revenue
    from {{ ref('daily_sales') }}
),

sold as (
    select coalesce(sum(units), 0) as units, coalesce(sum(revenue), 0) as revenue from sales
),

demand as (
    select coalesce(sum(units), 0) as units, coalesce(sum(revenue), 0) as revenue from {{ ref('daily_demand') }}
)

select *
from sold
cross join demand
where
    abs(sold.units - demand.units) > 1e-9 * greatest(sold.units, 1)
    or abs(sold.revenue - demand.revenue) > 1e-9 * greatest(sold.revenue, 1)
