with

reports as (
    select
        channel,
        order_date as date,
        order_id
    from {{ ref('order_lines') }}
    where quantity > 0

    union all

    select
        channel,
        date,
        null as order_id
    from {{ ref('daily_sales') }}
)

select
    channel,
    date,
    count(distinct order_id) as orders,
    bool_or(order_id is null) as has_totals
from reports
group by channel, date
