{# Each series has every day from its first to its last. #}
{% test no_gaps(model, series, date) %}
select {{ series | join(', ') }}
from {{ model }}
group by {{ series | join(', ') }}
having count(distinct {{ date }}) != date_diff('day', min({{ date }}), max({{ date }})) + 1
{% endtest %}
