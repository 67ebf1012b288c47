{# Text to a naive UTC moment. Text with an offset says its zone itself; without one it is in the source's zone. #}
{% macro utc_moment(column) -%}
    case
        when regexp_matches({{ column }}, ':\d\d.*(Z|[+-]\d\d(:?\d\d)?)$')
            then timezone('UTC', try_cast({{ column }} as timestamptz))
        else timezone('UTC', timezone('{{ var("source_timezone") }}', try_cast({{ column }} as timestamp)))
    end
{%- endmacro %}

{# The day, in the shop's zone, of a naive UTC moment. #}
{% macro shop_date(column) -%}
    cast(timezone('{{ var("shop_timezone") }}', timezone('UTC', {{ column }})) as date)
{%- endmacro %}

{# The time of day, in the shop's zone, of a naive UTC moment. #}
{% macro shop_time(column) -%}
    cast(timezone('{{ var("shop_timezone") }}', timezone('UTC', {{ column }})) as time)
{%- endmacro %}
