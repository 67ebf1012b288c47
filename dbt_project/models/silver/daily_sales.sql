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
{{ unless_stored('totals', key + ['file_sha256', 'row_number', 'loaded_at', 'source_rows', 'units', 'unit_price']) }}
