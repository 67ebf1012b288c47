{% set keys = {
    'orders': ['order_id'],
    'order_lines': ['order_line_id'],
    'daily_sales': ['product_id', 'channel', 'date'],
    'products': ['product_id'],
    'customers': ['customer_id'],
    'sellers': ['seller_id'],
    'prices': ['product_id', 'channel', 'valid_from_date'],
    'promotions': ['promotion_id', 'product_id', 'channel'],
    'inventory_levels': ['product_id', 'date'],
    'sessions': ['session_id', 'event_number'],
    'ad_spend': ['date', 'ad_channel', 'campaign'],
    'calendar': ['date', 'event_name', 'channel'],
} %}

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
