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

lost_lines as (
    select accepted.*
    from {{ ref('stg_order_lines') }} as accepted
    anti join {{ ref('order_lines') }} using (file_sha256, row_number)
),

-- a line without a number is replaced by its product's line in the newest state of the order, or by the order's first
rivals as (
    select accepted.*
    from {{ ref('stg_order_lines') }} as accepted
    semi join {{ ref('order_lines') }} using (file_sha256, row_number)
    semi join lost_lines using (order_id)
),

order_lines as (
    select
        lost_lines.file_sha256,
        lost_lines.row_number,
        rivals.file_sha256 as kept_file_sha256,
        rivals.row_number as kept_row_number
    from lost_lines
    inner join rivals
        on
            lost_lines.order_line_id = rivals.order_line_id
            or (lost_lines.feed = rivals.feed and lost_lines.order_id = rivals.order_id)
    qualify
        row_number() over (
            partition by lost_lines.file_sha256, lost_lines.row_number
            order by
                lost_lines.order_line_id = rivals.order_line_id desc,
                (lost_lines.quantity < 0) = (rivals.quantity < 0) desc,
                lost_lines.product_id = rivals.product_id desc,
                rivals.row_number
        ) = 1
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
