with

channels as (
    select distinct channel from {{ ref('series') }}
),

events as (
    select * from {{ ref('calendar_events') }}
)

select
    channels.channel,
    events.date,
    string_agg(distinct events.event_name, ' + ' order by events.event_name) as event_name
from channels
inner join events on channels.channel = coalesce(events.channel, channels.channel)
group by channels.channel, events.date
