{% set keys = {
    'orders': ['order_id'],
    'products': ['product_id'],
    'customers': ['customer_id'],
    'sellers': ['seller_id'],
    'prices': ['product_id', 'channel', 'valid_from_date'],
    'promotions': ['promotion_id', 'product_id', 'channel'],
    'inventory_levels': ['product_id', 'date', 'location'],
    'sessions': ['session_id', 'event_number'],
    'calendar': ['date', 'event_name', 'channel'],
} %}

{% set added_up = {
    'daily_sales': ['product_id', 'channel', 'date'],
    'ad_spend': ['date', 'ad_channel', 'campaign'],
} %}

with

order_lines as (
    {{ lost_order_lines() }}
)

select
    'order_lines' as entity,
    *
from order_lines
union all
{% for entity, key in added_up.items() -%}
select
    '{{ entity }}' as entity,
    lost.file_sha256,
    lost.row_number,
    kept.file_sha256 as kept_file_sha256,
    kept.row_number as kept_row_number
from {{ ref('stg_' ~ entity) }} as lost
inner join {{ ref(entity) }} as kept using ({{ key | join(', ') }})
where lost.is_copy or lost.file_sha256 != kept.file_sha256
union all
{% endfor %}
{% for entity, key in keys.items() -%}
select
    '{{ entity }}' as entity,
    lost.file_sha256,
    lost.row_number,
    kept.file_sha256 as kept_file_sha256,
    kept.row_number as kept_row_number
from {{ ref('stg_' ~ entity) }} as lost
inner join {{ ref('calendar_events' if entity == 'calendar' else entity) }} as kept
    on
        {% for column in key -%}
        lost.{{ column }} is not distinct from kept.{{ column }}
        {{ 'and ' if not loop.last }}
        {%- endfor %}
        and kept.row_number is not null
where
    (lost.file_sha256, lost.row_number) != (kept.file_sha256, kept.row_number)
{{ 'union all' if not loop.last }}
{% endfor %}
