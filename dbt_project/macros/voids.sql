{# A cancellation voids the latest earlier sale of the same customer, product, price and number of pieces that none
   has voided yet, if it is recent enough. Counting sales up and cancellations down pairs them like brackets: the rows
   of one level are a sale, its cancellation, the next sale, … so a row's partner is its neighbour on its level. #}
{% macro voided_lines(lines) -%}
    {%- set mirror = 'customer_id, product_id, unit_price, abs(quantity)' -%}
    {%- set in_order = 'ordered_at, quantity desc, delivered_at, file_sha256, row_number' -%}
    select order_line_id
    from (
        select
            order_line_id,
            ordered_at,
            quantity,
            lag(quantity) over same_level as earlier_quantity,
            lag(ordered_at) over same_level as earlier_at,
            lead(quantity) over same_level as later_quantity,
            lead(ordered_at) over same_level as later_at
        from (
            select
                *,
                sum(sign(quantity)) over (partition by {{ mirror }} order by {{ in_order }})
                - cast(quantity > 0 as integer) as level
            from {{ lines }}
            where customer_id is not null and (quantity > 0 or (quantity < 0 and is_cancellation))
        )
        window same_level as (partition by {{ mirror }}, level order by {{ in_order }})
    )
    where
        (quantity < 0 and earlier_quantity > 0 and ordered_at <= earlier_at + {{ void_window() }})
        or (quantity > 0 and later_quantity < 0 and later_at <= ordered_at + {{ void_window() }})
{%- endmacro %}

{% macro void_window() -%}
    interval {{ var('void_within_days') }} day
{%- endmacro %}

{# The given lines, and all stored ones that could be paired with a line as it was or as it is now. #}
{% macro with_mirror_images(keys, lines) -%}
    select order_line_id from {{ keys }}
    union
    select order_line_id from {{ this }}
    where (customer_id, product_id, unit_price, abs(quantity)) in (
        select (customer_id, product_id, unit_price, abs(quantity)) from {{ lines }}
        semi join {{ keys }} using (order_line_id)
        union
        select (customer_id, product_id, unit_price, abs(quantity)) from {{ this }}
        semi join {{ keys }} using (order_line_id)
    )
{%- endmacro %}
