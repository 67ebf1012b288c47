{# Every one of these columns is filled in every row: one query where not_null would take one a column. #}
{% test no_nulls(model, columns) %}
select *
from {{ model }}
where {{ columns | join(' is null or ') }} is null
{% endtest %}
