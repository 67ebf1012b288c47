with

orders as (
    select
        channel,
        order_date as date,
        {{ shop_time('min(ordered_at)') }} as order_time
    from {{ ref('order_lines') }}
    where quantity > 0
    group by channel, order_id, order_date
),

days as (
    select * from {{ ref('channel_reports') }}
),

last_days as (
    select *
    from days
    qualify date = max(date) over (partition by channel)
),

earlier_days as (
    select
        days.channel,
        days.date,
        isodow(days.date) = isodow(last_days.date) as is_same_weekday,
        days.orders <= last_days.orders as has_no_more_orders
    from days
    inner join last_days on days.channel = last_days.channel and days.date < last_days.date
    where days.date >= last_days.date - {{ var('usual_days') }} and not days.has_totals and not last_days.has_totals
),

-- when orders come: on the same weekday where there are enough of it, for a shop may close at noon on Saturdays
compared_days as (
    select *
    from earlier_days
    qualify is_same_weekday or count_if(is_same_weekday) over (partition by channel) < {{ var('fewest_usual_days') }}
),

times as (
    select
        orders.channel,
        (1 + count_if(orders.order_time <= last_days.last_order_time)) / (1 + count(*)) as share_by_then
    from orders
    inner join compared_days on orders.channel = compared_days.channel and orders.date = compared_days.date
    inner join last_days on orders.channel = last_days.channel
    group by orders.channel
),

counts as (
    select
        channel,
        (1 + count_if(has_no_more_orders)) / (1 + count(*)) as share_with_no_more
    from earlier_days
    group by channel
    having count(*) >= {{ var('fewest_usual_days') }}
),

chances as (
    select
        last_days.channel,
        last_days.date,
        counts.share_with_no_more,
        pow(times.share_by_then, last_days.orders) * counts.share_with_no_more as chance
    from last_days
    inner join times on last_days.channel = times.channel
    inner join counts on last_days.channel = counts.channel
)

select
    channel,
    date
from chances
where share_with_no_more < 0.5 and chance * (1 - ln(chance)) < {{ var('gap_chance') }}
