{# Every accepted row is in its silver table or in `model`, the duplicates. `tables`: entity to silver table; rows of
   those `added_up` stand for several. #}
{% test row_conservation(model, tables, added_up) %}
select *
from (
    {% for entity, table in tables.items() -%}
    select
        '{{ entity }}' as entity,
        (select count(*) from {{ ref('stg_' ~ entity) }}) as accepted,
        (
            select {{ 'coalesce(sum(source_rows), 0)' if table in added_up else 'count(*)' }}
            from {{ ref(table) }}
            where row_number is not null
        ) as kept,
        (select count(*) from {{ model }} where entity = '{{ entity }}') as duplicate
    {{ 'union all' if not loop.last }}
    {% endfor %}
)
where accepted != kept + duplicate
{% endtest %}
