with

reports as (
    select
        channel,
        order_date as date,
        order_id,
        min(ordered_at) as ordered_at
    from {{ ref('order_lines') }}
    where quantity > 0
    group by channel, order_date, order_id

    union all

    select
        channel,
        date,
        null as order_id,
        null as ordered_at
    from {{ ref('daily_sales') }}
)

select
    channel,
    date,
    count(order_id) as orders,
    {{ shop_time('max(ordered_at)') }} as last_order_time,
    bool_or(order_id is null) as has_totals
from reports
group by channel, date
