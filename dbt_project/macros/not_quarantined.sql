{# The rows of a bronze table that no contract rejected, and when each was loaded. #}
{% macro not_quarantined(entity) -%}
    select *
    from {{ source('bronze', entity) }}
    anti join (
        select * from {{ source('ops', 'quarantine') }} where entity = '{{ entity }}'
    ) using (file_sha256, row_number)
    left join (
        select feed, file_sha256, loaded_at from {{ source('ops', 'loads') }} where entity = '{{ entity }}'
    ) using (feed, file_sha256)
{%- endmacro %}
