select
    days.channel,
    days.date
from {{ ref('channel_days') }} as days
inner join {{ ref('sales_gaps') }} as gaps
    on days.channel = gaps.channel and days.date between gaps.first_date and gaps.last_date
where gaps.gap_kind = 'not_recorded'

union all

select
    channel,
    date
from {{ ref('cut_days') }}
