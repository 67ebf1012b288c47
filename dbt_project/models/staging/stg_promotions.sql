with

accepted as (
    {{ not_quarantined('promotions') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        landed_at,
        promotion_id,
        product_id,
        channel,
        try_cast(start_date as date) as start_date,
        try_cast(end_date as date) as end_date,
        try_cast(discount_share as double) as discount_share,
        promotion_type
    from accepted
)

select * from typed
