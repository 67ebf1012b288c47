with

accepted as (
    {{ not_quarantined('calendar') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        try_cast(date as date) as date,
        event_name,
        {{ filled('event_type') }} as event_type,
        {{ filled('channel') }} as channel
    from accepted
)

select * from typed
