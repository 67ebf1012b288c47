with

accepted as (
    select
        order_line_id,
        feed,
        order_id,
        line_number,
        product_id,
        quantity < 0 as is_negative,
        is_replaced_in_file,
        version_at,
        delivered_at,
        file_sha256,
        row_number,
        loaded_at
    from {{ ref('stg_order_lines') }}
),

last_in_file as (
    select * from accepted
    where not is_replaced_in_file
),

-- what replaced a row may be in quarantine
left_alone as (
    select accepted.*
    from accepted
    anti join last_in_file using (file_sha256, order_id, product_id, is_negative)
    qualify
        row_number() over (
            partition by accepted.file_sha256, accepted.order_id, accepted.product_id, accepted.is_negative
            order by accepted.row_number desc
        ) = 1
),

lines as (
    select * from last_in_file
    union all
    select * from left_alone
),

-- an order without line numbers is what the newest file says that holds it; its returns may come in a file of their own
newest_files as (
    select
        feed,
        order_id,
        is_negative,
        arg_max(file_sha256, (version_at, delivered_at, file_sha256)) as file_sha256
    from lines
    where line_number is null
    group by feed, order_id, is_negative
)

select
    lines.order_line_id,
    lines.file_sha256,
    lines.row_number,
    lines.loaded_at
from lines
left join newest_files using (feed, order_id, is_negative, file_sha256)
where lines.line_number is not null or newest_files.file_sha256 is not null
qualify
    row_number() over (
        partition by lines.order_line_id
        order by lines.version_at desc, lines.delivered_at desc, lines.file_sha256 desc, lines.row_number desc
    ) = 1
