{{ config(
    materialized='incremental',
    unique_key='order_line_id',
    post_hook="{{ drop_replaced_lines('surviving_lines') }}",
) }}

with

cancelled_orders as (
    select * from {{ ref('cancelled_orders') }}
),

surviving_lines as (
    {{ rows_of('stg_order_lines', 'surviving_lines') }}
),

{% if is_incremental() -%}
changed_lines as (
    {{ changed_lines('surviving_lines') }}
    union
    select stored.order_line_id
    from {{ this }} as stored
    left join cancelled_orders using (order_id)
    where stored.is_order_cancelled != (cancelled_orders.order_id is not null)
),

affected_lines as (
    {{ with_mirror_images('changed_lines', 'surviving_lines') }}
),

{% endif -%}
lines as (
    select
        surviving_lines.*,
        {{ shop_date('surviving_lines.ordered_at') }} as order_date,
        cancelled_orders.order_id is not null as is_order_cancelled,
        coalesce(surviving_lines.status, '') = 'cancelled' as is_cancellation
    from surviving_lines
    left join cancelled_orders using (order_id)
    {{ only_in('affected_lines', 'order_line_id') }}
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
    lines.discount,
    lines.tax,
    lines.updated_at,
    lines.returned_at,
    lines.order_date,
    lines.is_order_cancelled,
    {{ line_type() }} as line_type,
    lines.source,
    lines.file_sha256,
    lines.row_number,
    lines.delivered_at,
    lines.loaded_at
from lines
left join voided_lines using (order_line_id)
left join {{ ref('non_products') }} as non_products using (product_id)
