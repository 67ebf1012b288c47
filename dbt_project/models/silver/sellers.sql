with

latest as (
    {{ keep_last('stg_sellers', ['seller_id']) }}
)

select
    seller_id,
    seller_name,
    country,
    city,
    source,
    file_sha256,
    row_number,
    delivered_at,
    loaded_at
from latest
