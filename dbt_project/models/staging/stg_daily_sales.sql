with

accepted as (
    {{ not_quarantined('daily_sales') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        coalesce(occurrence, 1) = 0 as is_copy,
        product_id,
        channel,
        try_cast(date as date) as date,
        try_cast(units as double) as units,
        try_cast(unit_price as double) as unit_price
    from accepted
)

select * from typed
