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
    latest.product_id,
    latest.date,
    latest.on_hand_units,
    latest.location,
    latest.is_selling,
    latest.source,
    latest.file_sha256,
    latest.row_number,
    latest.delivered_at,
    latest.loaded_at
from latest
{{ unless_stored('latest', key + ['file_sha256', 'row_number', 'loaded_at']) }}
