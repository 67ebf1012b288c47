with

accepted as (
    {{ not_quarantined('prices') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        product_id,
        {{ filled('channel') }} as channel,
        try_cast(valid_from_date as date) as valid_from_date,
        try_cast(unit_price as double) as unit_price
    from accepted
)

select * from typed
