with

reports as (
    select * from {{ ref('channel_reports') }}
),

channels as (
    select
        channel,
        min(date) as first_date
    from reports
    group by channel
),

days as (
    select
        channels.channel,
        cast(unnest(generate_series(channels.first_date, last_whole_day.date, interval 1 day)) as date) as date
    from channels
    cross join {{ ref('last_whole_day') }} as last_whole_day
),

holidays as (
    select distinct date
    from {{ ref('calendar_events') }}
    where event_type = 'public_holiday'
)

select
    days.channel,
    days.date,
    isodow(days.date) as weekday,
    reports.date is not null as is_reported,
    holidays.date is not null as is_holiday,
    count(reports.date) over (partition by days.date) > 0 as has_sales_elsewhere,
    max(reports.date) over (partition by days.channel order by days.date) as last_report_date
from days
left join reports using (channel, date)
left join holidays using (date)
