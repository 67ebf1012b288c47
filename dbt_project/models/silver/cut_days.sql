with

reports as (
    select * from {{ ref('channel_reports') }}
),

orders as (
    select
        channel,
        order_date as date,
        {{ shop_time('min(ordered_at)') }} as ordered_at
    from {{ ref('order_lines') }}
    where quantity > 0
    group by channel, order_id, order_date
),

last_days as (
    select *
    from reports
    qualify date = max(date) over (partition by channel)
),

earlier_days as (
    select
        last_days.channel,
        reports.date,
        reports.orders,
        isodow(reports.date) = isodow(last_days.date) as is_same_weekday
    from last_days
    inner join reports
        on
            last_days.channel = reports.channel
            and reports.date between last_days.date - {{ var('usual_days') }} and last_days.date - 1
    where not last_days.has_totals and not reports.has_totals
),

-- days of the same weekday where there are enough of them: a shop may close at noon on Saturdays
usual_days as (
    select *
    from earlier_days
    qualify is_same_weekday or count_if(is_same_weekday) over (partition by channel) < {{ var('fewest_usual_days') }}
),

last_orders as (
    select
        channel,
        max(orders.ordered_at) as last_order_at
    from orders
    inner join last_days using (channel, date)
    group by channel
),

shares_by_then as (
    select
        channel,
        (1 + count_if(orders.ordered_at <= last_orders.last_order_at)) / (1 + count(*)) as share_by_then
    from orders
    inner join usual_days using (channel, date)
    inner join last_orders using (channel)
    group by channel
)

select
    channel,
    last_days.date
from last_days
inner join usual_days using (channel)
inner join shares_by_then using (channel)
group by channel, last_days.date, last_days.orders, shares_by_then.share_by_then
having
    count(*) >= {{ var('fewest_usual_days') }}
    and pow(shares_by_then.share_by_then, last_days.orders) < {{ var('gap_chance') }}
    and count_if(usual_days.orders > last_days.orders) >= 0.9 * count(*)
