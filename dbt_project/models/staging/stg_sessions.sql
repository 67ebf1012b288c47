with

accepted as (
    {{ not_quarantined('sessions') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        session_id,
        try_cast(event_number as bigint) as event_number,
        {{ utc_moment('occurred_at') }} as occurred_at,
        channel,
        {{ filled('customer_id') }} as customer_id,
        {{ filled('product_id') }} as product_id,
        event
    from accepted
)

select * from typed
