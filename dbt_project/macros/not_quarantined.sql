{# The rows of a bronze table that no contract rejected and no newer version of their file withdrew, with the moments
   of their file's delivery and of its loading. #}
{% macro not_quarantined(entity) -%}
    select *
    from {{ source('bronze', entity) }}
    anti join (
        select * from {{ source('ops', 'quarantine') }} where entity = '{{ entity }}'
    ) using (file_sha256, row_number)
    anti join (
        select * from {{ source('ops', 'withdrawn_rows') }} where entity = '{{ entity }}'
    ) using (file_sha256, row_number)
    left join (
        select feed, file_sha256, delivered_at, loaded_at
        from {{ source('ops', 'loads') }}
        where entity = '{{ entity }}'
    ) using (feed, file_sha256)
{%- endmacro %}
