with

latest as (
    {{ keep_last('stg_promotions', ['promotion_id', 'product_id', 'channel']) }}
)

select
    promotion_id,
    product_id,
    channel,
    start_date,
    end_date,
    discount_share,
    promotion_type,
    source,
    file_sha256,
    row_number,
    delivered_at,
    loaded_at
from latest
