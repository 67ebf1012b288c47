{% set key = ['product_id', 'channel', 'date'] %}

{{ config(
    materialized='incremental',
    unique_key=key,
    post_hook="{{ drop_departed_keys('stg_daily_sales', ['product_id', 'channel', 'date']) }}",
) }}

with

totals as (
    {{ added_up('stg_daily_sales', key, {
        'units': sum_of('units'),
        'unit_price': mean_price('unit_price', 'units'),
    }) }}
)

select totals.*
from totals
{%- if is_incremental() %}
anti join {{ this }} as stored
    on
        totals.product_id = stored.product_id
        and totals.channel = stored.channel
        and totals.date = stored.date
        and totals.file_sha256 = stored.file_sha256
        and totals.row_number = stored.row_number
        and totals.loaded_at = stored.loaded_at
        and totals.source_rows = stored.source_rows
        and totals.units = stored.units
        and totals.unit_price is not distinct from stored.unit_price
{%- endif %}
