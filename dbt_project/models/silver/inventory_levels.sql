{% set key = ['product_id', 'date'] %}

{{ config(
    materialized='incremental',
    unique_key=key,
    post_hook="{{ drop_departed('stg_inventory_levels') }}",
) }}

with

{% if is_incremental() -%}
changed_keys as (
    {{ changed_keys('stg_inventory_levels', key) }}
),

{% endif -%}
latest as (
    {{ keep_last('stg_inventory_levels', key, among='changed_keys') }}
)

select
    product_id,
    date,
    on_hand_units,
    source,
    file_sha256,
    row_number,
    delivered_at,
    loaded_at
from latest
