{# Accepted order lines that do not survive, each with the line that stands in its place: of the same key, else the
   product's line in the newest state of the order, else that state's first line. #}
{% macro lost_order_lines() -%}
    with

    lost_lines as (
        select accepted.*
        from {{ ref('stg_order_lines') }} as accepted
        anti join {{ ref('order_lines') }} using (file_sha256, row_number)
    ),

    by_key as (
        select
            lost_lines.file_sha256,
            lost_lines.row_number,
            kept.file_sha256 as kept_file_sha256,
            kept.row_number as kept_row_number
        from lost_lines
        inner join {{ ref('order_lines') }} as kept using (order_line_id)
    ),

    older_states as (
        select lost_lines.*
        from lost_lines
        anti join by_key using (file_sha256, row_number)
    ),

    newest_states as (
        select accepted.*
        from {{ ref('stg_order_lines') }} as accepted
        semi join {{ ref('order_lines') }} using (file_sha256, row_number)
        semi join older_states using (feed, order_id)
    ),

    by_order as (
        select
            older.file_sha256,
            older.row_number,
            newest.file_sha256 as kept_file_sha256,
            newest.row_number as kept_row_number
        from older_states as older
        inner join newest_states as newest using (feed, order_id)
        qualify
            row_number() over (
                partition by older.file_sha256, older.row_number
                order by
                    (older.quantity < 0) = (newest.quantity < 0) desc,
                    older.product_id = newest.product_id desc,
                    newest.row_number
            ) = 1
    )

    select * from by_key
    union all
    select * from by_order
{%- endmacro %}
