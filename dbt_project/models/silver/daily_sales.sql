{% set key = ['product_id', 'channel', 'date'] %}

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=key,
    on_schema_change='fail',
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
    landed_at
from latest
