{{ config(
    materialized='incremental',
    unique_key='order_line_id',
    post_hook="{{ drop_departed('stg_order_lines') }}",
) }}

with

cancelled_orders as (
    select * from {{ ref('cancelled_orders') }}
),

{% if is_incremental() -%}
changed_lines as (
    {{ changed_keys('stg_order_lines', ['order_line_id']) }}
    union
    select stored.order_line_id
    from {{ this }} as stored
    left join cancelled_orders using (order_id)
    where stored.is_order_cancelled != (cancelled_orders.order_id is not null)
),

affected_lines as (
    {{ with_mirror_images('changed_lines', 'stg_order_lines') }}
),

{% endif -%}
latest_lines as (
    {{ keep_last('stg_order_lines', ['order_line_id'], among='affected_lines') }}
),

lines as (
    select
        latest_lines.*,
        {{ shop_date('latest_lines.ordered_at') }} as order_date,
        cancelled_orders.order_id is not null as is_order_cancelled,
        coalesce(latest_lines.status, '') = 'cancelled'
        or (latest_lines.source = 'online_retail_ii' and latest_lines.order_id like 'C%') as is_cancellation
    from latest_lines
    left join cancelled_orders using (order_id)
),

voided_lines as (
    {{ voided_lines('lines') }}
)

select
    lines.order_line_id,
    lines.order_id,
    lines.line_number,
    lines.ordered_at,
    lines.channel,
    lines.product_id,
    lines.product_name,
    lines.quantity,
    lines.unit_price,
    lines.customer_id,
    lines.seller_id,
    lines.status,
    lines.country,
    lines.currency,
    lines.order_date,
    lines.is_order_cancelled,
    case
        when non_products.product_id is not null then 'charge'
        when lines.unit_price = 0 then 'adjustment'
        when voided_lines.order_line_id is not null then 'voided'
        when lines.quantity < 0 then 'return'
        when lines.status = 'cancelled' or lines.is_order_cancelled then 'voided'
        else 'sale'
    end as line_type,
    lines.source,
    lines.file_sha256,
    lines.row_number,
    lines.delivered_at,
    lines.loaded_at
from lines
left join voided_lines using (order_line_id)
left join {{ ref('non_products') }} as non_products using (source, product_id)
