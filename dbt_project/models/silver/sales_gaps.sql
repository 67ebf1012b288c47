with

silences as (
    select * from {{ ref('channel_silences') }}
),

gaps as (
    select
        *,
        chance_alone < {{ var('gap_chance') }} as is_alone
    from silences
    where chance < {{ var('gap_chance') }}
),

years as (
    select unnest([-364, 364]) as shift
),

-- silent for more than half of the same days a year before or after
seasons as (
    select distinct
        gaps.channel,
        gaps.first_date
    from gaps
    inner join silences as others on gaps.channel = others.channel and gaps.first_date != others.first_date
    cross join years
    where
        least(gaps.last_date, others.last_date + years.shift) + 1
        - greatest(gaps.first_date, others.first_date + years.shift) > gaps.silent_days / 2
)

select
    gaps.channel,
    gaps.first_date,
    gaps.last_date,
    gaps.silent_days,
    gaps.is_last,
    gaps.is_alone,
    case
        when gaps.is_last and gaps.silent_days > {{ var('ended_days') }} then 'ended'
        when seasons.channel is not null then 'season'
        when gaps.is_alone or gaps.silent_days > {{ var('closed_days') }} then 'not_recorded'
        else 'closed'
    end as gap_kind
from gaps
left join seasons on gaps.channel = seasons.channel and gaps.first_date = seasons.first_date
