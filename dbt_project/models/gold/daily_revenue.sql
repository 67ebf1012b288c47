with

sold as (
    select
        product_id,
        channel,
        date,
        revenue as gross_revenue,
        units as sold_units
    from {{ ref('daily_demand') }}
    where units > 0
),

returned as (
    select
        product_id,
        channel,
        return_date as date,
        {{ exact_sum('units * unit_price') }} as returned_revenue,
        {{ exact_sum('units') }} as returned_units
    from {{ ref('returned_lines') }}
    where return_date <= (select last_day.date from {{ ref('last_whole_day') }} as last_day)
    group by product_id, channel, return_date
)

select
    product_id,
    channel,
    date,
    coalesce(sold.gross_revenue, 0) as gross_revenue,
    coalesce(returned.returned_revenue, 0) as returned_revenue,
    coalesce(sold.gross_revenue, 0) - coalesce(returned.returned_revenue, 0) as net_revenue,
    coalesce(sold.sold_units, 0) as sold_units,
    coalesce(returned.returned_units, 0) as returned_units
from sold
full join returned using (product_id, channel, date)
