with

days as (
    select
        *,
        count(*) over (partition by channel) as channel_days
    from {{ ref('channel_days') }}
),

last_day as (
    select max(date) as date from days
),

silences as (
    select
        channel,
        any_value(channel_days) as channel_days,
        min(date) as first_date,
        max(date) as last_date,
        count(*) as silent_days,
        max(date) = (from last_day) as is_last
    from days
    where not is_reported
    group by channel, last_report_date
),

-- how often a weekday was silent in the quarter before, and in the quarter after; one day was, before all these
usual as (
    select
        silences.channel,
        silences.first_date,
        days.date < silences.first_date as is_before,
        days.weekday,
        (count_if(not days.is_reported) + 1 / 7) / (count(*) + 1) as silent_share
    from silences
    inner join days
        on
            silences.channel = days.channel
            and days.date >= silences.first_date - {{ var('usual_days') }}
            and days.date <= silences.last_date + {{ var('usual_days') }}
            and days.date not between silences.first_date and silences.last_date
    where silences.is_last or silences.silent_days > 1
    group by all
),

chances as (
    select
        silences.*,
        usual.is_before,
        product(if(days.is_holiday, 1, usual.silent_share)) as of_all_days,
        product(if(days.is_holiday or not days.has_sales_elsewhere, 1, usual.silent_share)) as of_days_alone
    from silences
    inner join days on silences.channel = days.channel and days.date between silences.first_date and silences.last_date
    inner join usual
        on silences.channel = usual.channel and silences.first_date = usual.first_date and days.weekday = usual.weekday
    group by all
)

select
    channel,
    first_date,
    last_date,
    silent_days,
    is_last,
    max(of_all_days) * if(is_last, 1, channel_days) as chance,
    max(of_days_alone) * if(is_last, 1, channel_days) as chance_alone
from chances
group by channel, first_date, last_date, silent_days, is_last, channel_days
