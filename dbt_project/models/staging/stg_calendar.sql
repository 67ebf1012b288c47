with

accepted as (
    {{ not_quarantined('calendar') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        landed_at,
        try_cast(date as date) as date,
        event_name,
        event_type,
        channel
    from accepted
)

select * from typed
