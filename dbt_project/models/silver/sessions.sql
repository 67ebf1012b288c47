{% set key = ['session_id', 'event_number'] %}

{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=key,
    on_schema_change='fail',
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
    landed_at
from latest
