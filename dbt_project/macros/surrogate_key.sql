{# One text for many columns; JSON keeps ('a', 'b') and ('a, b') and null apart. #}
{% macro surrogate_key(columns) -%}
    md5(cast(to_json([{{ columns | join(', ') }}]) as varchar))
{%- endmacro %}
