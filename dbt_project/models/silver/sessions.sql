{% set key = ['session_id', 'event_number'] %}

{{ config(
    materialized='incremental',
    unique_key=key,
    post_hook="{{ drop_departed('stg_sessions') }}",
) }}

with

{% if is_incremental() -%}
changed_keys as (
    {{ changed_keys('stg_sessions', key) }}
),

{% endif -%}
latest as (
    {{ keep_last('stg_sessions', key, among='changed_keys') }}
)

select
    session_id,
    event_number,
    occurred_at,
    {{ shop_date('occurred_at') }} as event_date,
    channel,
    customer_id,
    product_id,
    event,
    source,
    file_sha256,
    row_number,
    delivered_at,
    loaded_at
from latest
