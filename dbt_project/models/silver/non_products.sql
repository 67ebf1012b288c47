with

codes as (
    select product_id from {{ ref('stg_order_lines') }}
    union
    select product_id from {{ ref('stg_daily_sales') }}
)

select
    codes.product_id,
    min(known.line_is) as line_is
from codes
inner join {{ source('bronze', 'non_product_codes') }} as known on regexp_full_match(codes.product_id, known.pattern)
group by codes.product_id
