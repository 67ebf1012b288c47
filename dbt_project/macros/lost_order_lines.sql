{# Accepted order lines that do not survive, each with the line that stands in its place: of the same key, else the
   product's line in the newest state of the order, else that state's first line. #}
{% macro lost_order_lines() -%}
    with

    lost_lines as (
        select accepted.*
        from {{ ref('stg_order_lines') }} as accepted
        anti join {{ ref('order_lines') }} using (file_sha256, row_number)
    ),

    rivals as (
        select accepted.*
        from {{ ref('stg_order_lines') }} as accepted
        semi join {{ ref('order_lines') }} using (file_sha256, row_number)
        semi join lost_lines using (order_id)
    )

    select
        lost_lines.file_sha256,
        lost_lines.row_number,
        rivals.file_sha256 as kept_file_sha256,
        rivals.row_number as kept_row_number
    from lost_lines
    inner join rivals
        on
            lost_lines.order_line_id = rivals.order_line_id
            or (lost_lines.feed = rivals.feed and lost_lines.order_id = rivals.order_id)
    qualify
        row_number() over (
            partition by lost_lines.file_sha256, lost_lines.row_number
            order by
                lost_lines.order_line_id = rivals.order_line_id desc,
                (lost_lines.quantity < 0) = (rivals.quantity < 0) desc,
                lost_lines.product_id = rivals.product_id desc,
                rivals.row_number
        ) = 1
{%- endmacro %}
