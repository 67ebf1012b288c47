{# Text as it is, but blank text is missing: so the contracts judge it too. #}
{% macro filled(column) -%}
    case when trim({{ column }}) != '' then {{ column }} end
{%- endmacro %}
