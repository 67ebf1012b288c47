{# What an order line counts as, by the first rule that fits; in the words of the model `order_lines`. #}
{% macro line_type() -%}
    case
        when lines.quantity = 0 or lines.unit_price is null then 'voided'
        when non_products.product_id is not null then 'charge'
        when lines.unit_price = 0 then 'adjustment'
        when voided_lines.order_line_id is not null then 'voided'
        when lines.quantity < 0 then 'return'
        when lines.status = 'cancelled' or lines.is_order_cancelled then 'voided'
        else 'sale'
    end
{%- endmacro %}
