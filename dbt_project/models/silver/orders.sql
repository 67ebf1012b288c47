with

headers as (
    {{ keep_last('stg_orders', ['order_id']) }}
),

-- what the lines say of an order; each value from its first line that has one
orders_from_lines as (
    select
        order_id,
        min(ordered_at) as ordered_at,
        arg_min(channel, (ordered_at, file_sha256, row_number)) as channel,
        arg_min(customer_id, (ordered_at, file_sha256, row_number)) as customer_id,
        arg_min(seller_id, (ordered_at, file_sha256, row_number)) as seller_id,
        arg_min(status, (ordered_at, file_sha256, row_number)) as status,
        bool_and(line_type = 'voided') as is_voided,
        bool_and(quantity < 0) as is_return,
        arg_min(country, (ordered_at, file_sha256, row_number)) as country
    from {{ ref('order_lines') }}
    group by order_id
),

orders as (
    select
        order_id,
        coalesce(headers.ordered_at, orders_from_lines.ordered_at) as ordered_at,
        coalesce(headers.channel, orders_from_lines.channel) as channel,
        coalesce(headers.customer_id, orders_from_lines.customer_id) as customer_id,
        coalesce(headers.seller_id, orders_from_lines.seller_id) as seller_id,
        case
            when headers.status is not null then headers.status
            when orders_from_lines.is_voided then 'cancelled'
            when orders_from_lines.is_return then 'returned'
            when orders_from_lines.status is not null then orders_from_lines.status
            else 'placed'
        end as status,
        coalesce(headers.country, orders_from_lines.country, '{{ var("country") }}') as country,
        headers.order_id is not null as has_header,
        headers.source,
        headers.file_sha256,
        headers.row_number,
        headers.delivered_at,
        headers.loaded_at
    from headers
    full join orders_from_lines using (order_id)
)

select
    order_id,
    ordered_at,
    {{ shop_date('ordered_at') }} as order_date,
    * exclude (order_id, ordered_at)
from orders
