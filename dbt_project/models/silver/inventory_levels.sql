{% set key = ['product_id', 'date', 'location'] %}

{{ config(
    materialized='incremental',
    unique_key=key,
    post_hook="{{ drop_departed('stg_inventory_levels') }}",
) }}

with

latest as (
    {{ keep_last('stg_inventory_levels', key, then_by='counted_at') }}
)

select
    product_id,
    date,
    on_hand_units,
    location,
    is_selling,
    source,
    file_sha256,
    row_number,
    delivered_at,
    loaded_at
from latest
{%- if is_incremental() %}
anti join {{ this }} using (product_id, date, location, {{ lineage() }})
{%- endif %}
