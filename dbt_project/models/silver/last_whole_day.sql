-- a day counts once some channel has reported it to its end; of all days before the last one that holds
select if(bool_or(cut_days.date is null), reports.date, reports.date - 1) as date
from {{ ref('channel_reports') }} as reports
left join {{ ref('cut_days') }} as cut_days using (channel, date)
group by reports.date
order by reports.date desc
limit 1
