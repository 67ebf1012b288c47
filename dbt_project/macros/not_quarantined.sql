{# The rows of a bronze table that no contract rejected. #}
{% macro not_quarantined(entity) -%}
    select *
    from {{ source('bronze', entity) }} as received
    where
        not exists (
            select 1
            from {{ source('ops', 'quarantine') }} as rejected
            where
                rejected.entity = '{{ entity }}'
                and rejected.file_sha256 = received.file_sha256
                and rejected.row_number = received.row_number
        )
{%- endmacro %}
