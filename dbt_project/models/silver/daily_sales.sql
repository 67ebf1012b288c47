{% set key = ['product_id', 'channel', 'date'] %}

{{ config(
    materialized='incremental',
    unique_key=key,
    post_hook="{{ drop_departed('stg_daily_sales') }}",
) }}

with

{% if is_incremental() -%}
changed_keys as (
    {{ changed_keys('stg_daily_sales', key) }}
),

{% endif -%}
latest as (
    {{ keep_last('stg_daily_sales', key, among='changed_keys') }}
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
    delivered_at,
    loaded_at
from latest
