{# One row a key: the newest delivery that has it, all its rows of that file added up; copies of a row count once.
   `measures` gives an expression for each column that is made. #}
{% macro added_up(staging, key, measures) -%}
    select
        {{ key | join(',\n        ') }},
        {%- for column, expression in measures.items() %}
        {{ expression }} as {{ column }},
        {%- endfor %}
        count(*) as source_rows,
        any_value(source) as source,
        file_sha256,
        max(row_number) as row_number,
        any_value(delivered_at) as delivered_at,
        any_value(loaded_at) as loaded_at
    from {{ ref(staging) }}
    where not is_copy
    group by {{ key | join(', ') }}, file_sha256
    qualify
        row_number() over (
            partition by {{ key | join(', ') }} order by any_value(delivered_at) desc, file_sha256 desc
        ) = 1
{%- endmacro %}

{# What a row stands for beside others of its key: a sum that does not depend on the order of its rows. #}
{% macro sum_of(column) -%}
    if(count(*) = 1, any_value({{ column }}), {{ exact_sum(column) }})
{%- endmacro %}

{# The mean price, weighted by units, of the rows that have a price. #}
{% macro mean_price(price, units) -%}
    case
        when min({{ price }}) = max({{ price }}) then min({{ price }})
        when sum({{ units }}) filter ({{ price }} is not null) > 0
            then {{ exact_sum(price ~ ' * ' ~ units) }}
                / {{ exact_sum('case when ' ~ price ~ ' is not null then ' ~ units ~ ' end') }}
        else avg({{ price }})
    end
{%- endmacro %}

{# After an incremental run: keys that staging no longer has leave the table. #}
{% macro drop_departed_keys(staging, key) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where ({{ key | join(', ') }}) in (
            select ({{ key | join(', ') }}) from {{ this }} anti join {{ ref(staging) }} using ({{ key | join(', ') }})
        )
    {%- endif -%}
{%- endmacro %}
