with

latest as (
    {{ keep_last('stg_calendar', ['date', 'event_name', 'channel']) }}
),

public_holidays as (
    select distinct
        date,
        holiday_name as event_name
    from {{ source('bronze', 'public_holidays') }}
)

select
    date,
    event_name,
    event_type,
    channel,
    source,
    file_sha256,
    row_number,
    delivered_at,
    loaded_at
from latest

union all

select
    date,
    event_name,
    'public_holiday' as event_type,
    null as channel,
    null as source,
    null as file_sha256,
    null as row_number,
    null as delivered_at,
    null as loaded_at
from public_holidays
