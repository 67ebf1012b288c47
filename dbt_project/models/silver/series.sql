select
    product_id,
    channel,
    min(date) as first_sale_date,
    max(date) as last_sale_date
from {{ ref('sold_days') }}
group by product_id, channel
