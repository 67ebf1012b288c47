with

days as (
    select date
    from {{ ref('calendar') }}
    where is_loaded
),

buyers as (
    select
        order_date as date,
        count(distinct row(channel, order_id)) as orders,
        count(distinct customer_id) as customers
    from {{ ref('order_lines') }}
    where line_type = 'sale'
    group by order_date
),

revenue as (
    select
        date,
        {{ exact_sum('sold_units') }} as units,
        {{ exact_sum('returned_units') }} as returned_units,
        {{ exact_sum('gross_revenue') }} as gross_revenue,
        {{ exact_sum('net_revenue') }} as net_revenue
    from {{ ref('daily_revenue') }}
    group by date
),

-- a visit counts on the day it began
visits as (
    select
        session_id,
        min(event_date) as date,
        bool_or(event = 'purchase') as has_purchase
    from {{ ref('sessions') }}
    group by session_id
),

traffic as (
    select
        date,
        count(*) as sessions,
        count_if(has_purchase) as buying_sessions
    from visits
    group by date
),

advertising as (
    select
        date,
        {{ exact_sum('spend') }} as ad_spend
    from {{ ref('ad_spend') }}
    group by date
)

select
    date,
    coalesce(buyers.orders, 0) as orders,
    coalesce(buyers.customers, 0) as customers,
    coalesce(revenue.units, 0) as units,
    coalesce(revenue.gross_revenue, 0) as gross_revenue,
    coalesce(revenue.net_revenue, 0) as net_revenue,
    revenue.gross_revenue / nullif(buyers.orders, 0) as average_order_value,
    revenue.returned_units / nullif(revenue.units, 0) as return_rate,
    coalesce(traffic.sessions, 0) as sessions,
    traffic.buying_sessions / nullif(traffic.sessions, 0) as conversion_rate,
    coalesce(advertising.ad_spend, 0) as ad_spend
from days
left join buyers using (date)
left join revenue using (date)
left join traffic using (date)
left join advertising using (date)
