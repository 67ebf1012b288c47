with

listed as (
    {{ keep_last('stg_customers', ['customer_id']) }}
),

buyers as (
    select
        customer_id,
        min(order_date) as first_order_date,
        arg_max(country, (ordered_at, order_id)) as country
    from {{ ref('orders') }}
    where customer_id is not null
    group by customer_id
)

select
    customer_id,
    coalesce(listed.country, buyers.country) as country,
    listed.city,
    listed.signup_date,
    buyers.first_order_date,
    listed.customer_id is not null as is_listed,
    listed.source,
    listed.file_sha256,
    listed.row_number,
    listed.delivered_at,
    listed.loaded_at
from listed
full join buyers using (customer_id)
