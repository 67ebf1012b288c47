{# Of all rows with one key the last one delivered wins. An incremental run looks only at the keys in the CTE `among`. #}
{% macro keep_last(staging, key, among=none) -%}
    select *
    from {{ ref(staging) }}
    {%- if among and is_incremental() %}
    semi join {{ among }} using ({{ key | join(', ') }})
    {%- endif %}
    qualify
        row_number() over (
            partition by {{ key | join(', ') }}
            order by delivered_at desc, file_sha256 desc, row_number desc
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

{# After an incremental run: rows that staging no longer has (quarantined or forgotten since) leave the table. #}
{% macro drop_departed(staging) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where ({{ lineage() }}) in (
            select ({{ lineage() }}) from {{ this }} anti join {{ ref(staging) }} using ({{ lineage() }})
        )
    {%- endif -%}
{%- endmacro %}
