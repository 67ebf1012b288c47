with

headers as (
    {{ keep_last('stg_orders', ['order_id']) }}
)

select order_id
from headers
where status = 'cancelled'
