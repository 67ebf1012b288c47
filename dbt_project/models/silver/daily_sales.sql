{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['product_id', 'channel', 'date'],
    on_schema_change='fail',
    post_hook="{{ drop_departed('stg_daily_sales') }}",
) }}

with

{% if is_incremental() -%}
changed_keys as (
    {{ changed_keys('stg_daily_sales', ['product_id', 'channel', 'date']) }}
),

{% endif -%}
latest as (
    {{ keep_last('stg_daily_sales', ['product_id', 'channel', 'date'], among='changed_keys' if is_incremental() else none) }}
)

select
    product_id,
    channel,
    date,
    units,
    unit_price,
    source,
    file_sha256,
    row_number,
    landed_at
from latest
