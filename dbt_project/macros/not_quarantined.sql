{# The rows of a bronze table that no contract rejected. #}
{% macro not_quarantined(entity) -%}
    select *
    from {{ source('bronze', entity) }}
    anti join (select * from {{ source('ops', 'quarantine') }} where entity = '{{ entity }}')
        using (file_sha256, row_number)
{%- endmacro %}
