with

accepted as (
    {{ not_quarantined('promotions') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        promotion_id,
        product_id,
        {{ filled('channel') }} as channel,
        try_cast(start_date as date) as start_date,
        try_cast(end_date as date) as end_date,
        try_cast(discount_share as double) as discount_share,
        {{ filled('promotion_type') }} as promotion_type
    from accepted
)

select * from typed
