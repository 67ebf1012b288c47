{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='order_line_id',
    on_schema_change='fail',
    post_hook="{{ drop_departed('stg_order_lines') }}",
) }}

with

order_headers as (
    {{ keep_last('stg_orders', ['order_id']) }}
),

cancelled_orders as (
    select order_id from order_headers where status = 'cancelled'
),

{% if is_incremental() -%}
changed_lines as (
    {{ changed_keys('stg_order_lines', ['order_line_id']) }}
    union
    select order_line_id from {{ this }}
    where is_order_cancelled != (order_id in (select order_id from cancelled_orders))
),

affected_lines as (
    {{ with_mirror_images('changed_lines', 'stg_order_lines') }}
),

{% endif -%}
latest_lines as (
    {{ keep_last('stg_order_lines', ['order_line_id'], among='affected_lines' if is_incremental() else none) }}
),

lines as (
    select
        *,
        {{ shop_date('ordered_at') }} as order_date,
        order_id in (select order_id from cancelled_orders) as is_order_cancelled,
        coalesce(status, '') = 'cancelled' or (source = 'online_retail_ii' and order_id like 'C%') as is_cancellation
    from latest_lines
),

voided_lines as (
    {{ voided_lines('lines') }}
),

non_products as (
    select distinct lines.source, lines.product_id
    from (select distinct source, product_id from lines) as lines
    inner join {{ ref('non_product_codes') }} as codes
        on lines.source = 'online_retail_ii' and regexp_full_match(lines.product_id, codes.pattern)
),

classified as (
    select
        lines.* exclude (source, landed_at, file_sha256, row_number, is_cancellation),
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
        lines.landed_at
    from lines
    left join voided_lines using (order_line_id)
    left join non_products using (source, product_id)
)

select * from classified
