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

sold_totals as (
    select daily_sales.*
    from {{ ref('daily_sales') }} as daily_sales
    anti join {{ ref('non_products') }} using (product_id)
    where daily_sales.units > 0
),

sold_in_totals as (
    select distinct product_id
    from sold_totals
)

select
    product_id,
    coalesce(listed.product_name, sold_in_orders.product_name) as product_name,
    coalesce(listed.category, 'unknown') as category,
    listed.brand,
    coalesce(listed.seller_id, sold_in_orders.seller_id) as seller_id,
    listed.unit_cost,
    listed.launch_date,
    listed.discontinued_date,
    listed.product_id is not null as is_listed,
    listed.source,
    listed.file_sha256,
    listed.row_number,
    listed.delivered_at,
    listed.loaded_at
from listed
full join sold_in_orders using (product_id)
full join sold_in_totals using (product_id)
