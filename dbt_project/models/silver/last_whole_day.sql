with

days as (
    select
        channel,
        order_date as date
    from {{ ref('order_lines') }}

    union

    select
        channel,
        date
    from {{ ref('daily_sales') }}
)

-- where every channel that sold on the last day was cut short, only the day before is over
select if(count(cut_days.date) > 0 and count(cut_days.date) = count(reports.date), days.date - 1, days.date) as date
from days
left join {{ ref('channel_reports') }} as reports on days.channel = reports.channel and days.date = reports.date
left join {{ ref('cut_days') }} as cut_days on days.channel = cut_days.channel and days.date = cut_days.date
group by days.date
order by days.date desc
limit 1
