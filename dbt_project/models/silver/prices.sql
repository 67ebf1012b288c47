with

latest as (
    {{ keep_last('stg_prices', ['product_id', 'channel', 'valid_from_date']) }}
)

select
    product_id,
    channel,
    valid_from_date,
    unit_price,
    source,
    file_sha256,
    row_number,
    delivered_at,
    loaded_at
from latest
