{# Of all rows with one key the last one delivered wins; of those in one file the one with the greatest `then_by`, or the
   last. An incremental run looks only at the keys in the CTE `among`. #}
{% macro keep_last(staging, key, among=none, then_by='row_number') -%}
    select *
    from {{ ref(staging) }}
    {%- if among and is_incremental() %}
    semi join {{ among }} using ({{ key | join(', ') }})
    {%- endif %}
    qualify
        row_number() over (
            partition by {{ key | join(', ') }}
            order by delivered_at desc, file_sha256 desc, {{ then_by }} desc, row_number desc
        ) = 1
{%- endmacro %}

{# A row is loaded anew, under its old file and number, when the mapping of its feed changes. #}
{% macro lineage() -%} file_sha256, row_number, loaded_at {%- endmacro %}

{# The keys whose surviving row is no longer the one stored: a newer row came, or the stored one was taken away. #}
{% macro changed_keys(staging, key) -%}
    select {{ key | join(', ') }}
    from (
        select * from {{ ref(staging) }} anti join {{ this }} using ({{ lineage() }})
    ) as incoming
    left join {{ this }} as stored using ({{ key | join(', ') }})
    where
        stored.row_number is null
        or (incoming.delivered_at, incoming.file_sha256, incoming.row_number)
        > (stored.delivered_at, stored.file_sha256, stored.row_number)
    union
    select {{ key | join(', ') }}
    from {{ this }}
    anti join {{ ref(staging) }} using ({{ lineage() }})
{%- endmacro %}

{# In an incremental run only those rows that are not stored as they are, nulls counting as equal. #}
{% macro unless_stored(rows, columns) -%}
    {%- if is_incremental() -%}
        anti join {{ this }} as stored
            on
                {% for column in columns -%}
                {{ rows }}.{{ column }} is not distinct from stored.{{ column }}
                {{ 'and ' if not loop.last }}
                {%- endfor %}
    {%- endif -%}
{%- endmacro %}

{# In an incremental run only rows whose key is in a CTE. #}
{% macro only_in(keys, key) -%}
    {%- if is_incremental() -%} semi join {{ keys }} using ({{ key }}) {%- endif -%}
{%- endmacro %}

{# After an incremental run: rows that staging no longer has (quarantined or forgotten since) leave the table. #}
{% macro drop_departed(staging) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where ({{ lineage() }}) in (
            select ({{ lineage() }}) from {{ this }} anti join {{ ref(staging) }} using ({{ lineage() }})
        )
    {%- endif -%}
{%- endmacro %}

{# The accepted rows that survive, with the key they survive by. #}
{% macro rows_of(staging, surviving) -%}
    select
        accepted.* exclude (order_line_id),
        surviving.order_line_id
    from {{ ref(staging) }} as accepted
    inner join {{ ref(surviving) }} as surviving using (file_sha256, row_number)
{%- endmacro %}

{# The order lines that are not those stored any more, and those stored that are not these any more. #}
{% macro changed_lines(surviving) -%}
    select order_line_id
    from {{ ref(surviving) }}
    anti join {{ this }} using (order_line_id, {{ lineage() }})
    union
    select order_line_id
    from {{ this }}
    anti join {{ ref(surviving) }} using (order_line_id, {{ lineage() }})
{%- endmacro %}

{# After an incremental run: lines that others replace now, or that are gone, leave the table. #}
{% macro drop_replaced_lines(surviving) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where order_line_id not in (select order_line_id from {{ ref(surviving) }})
    {%- endif -%}
{%- endmacro %}
