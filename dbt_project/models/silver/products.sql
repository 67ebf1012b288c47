with

listed as (
    {{ keep_last('stg_products', ['product_id']) }}
),

-- a product is called what it was called when it was last sold
sold_in_orders as (
    select
        product_id,
        arg_max(product_name, (ordered_at, file_sha256, row_number)) as product_name,
        arg_max(seller_id, (ordered_at, file_sha256, row_number)) as seller_id
    from {{ ref('order_lines') }}
    where line_type = 'sale'
    group by product_id
),

sold as (
    select
        product_id,
        any_value(product_name) as product_name,
        any_value(seller_id) as seller_id
    from (
        select product_id, product_name, seller_id from sold_in_orders
        union all
        select distinct product_id, null, null from {{ ref('daily_sales') }} where units > 0
    )
    group by product_id
)

select
    product_id,
    coalesce(listed.product_name, sold.product_name) as product_name,
    coalesce(listed.category, 'unknown') as category,
    listed.brand,
    coalesce(listed.seller_id, sold.seller_id) as seller_id,
    listed.unit_cost,
    listed.launch_date,
    listed.discontinued_date,
    listed.product_id is not null as is_listed,
    listed.source,
    listed.file_sha256,
    listed.row_number,
    listed.landed_at
from listed
full join sold using (product_id)
