with

promotions as (
    select * from {{ ref('promotions') }}
),

series as (
    select * from {{ ref('series') }}
),

calendar as (
    select * from {{ ref('calendar') }}
)

select
    series.product_id,
    series.channel,
    calendar.date,
    max(promotions.discount_share) as discount_share
from promotions
inner join series
    on
        promotions.product_id = series.product_id
        and coalesce(promotions.channel, series.channel) = series.channel
inner join calendar on calendar.date between promotions.start_date and promotions.end_date
group by series.product_id, series.channel, calendar.date
