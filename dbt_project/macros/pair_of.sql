{# A state and a negative line may tell of one return: they are of one order, else of one customer. #}
{% macro pair_of(lines, others) -%}
    select
        {{ lines }}.*,
        case
            when others.order_id is not null then 'order ' || {{ lines }}.order_id
            else coalesce('customer ' || {{ lines }}.customer_id, 'line ' || {{ lines }}.order_line_id)
        end as pair
    from {{ lines }}
    left join (
        select distinct order_id, product_id, unit_price from {{ others }}
    ) as others using (order_id, product_id, unit_price)
{%- endmacro %}
