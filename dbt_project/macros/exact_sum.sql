{# A sum to the millionth that does not depend on the order of its rows, as a sum of floating-point numbers does. #}
{% macro exact_sum(amount) -%}
    sum(({{ amount }})::decimal(28, 6))::double
{%- endmacro %}
