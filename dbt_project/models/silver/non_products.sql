with

codes as (
    select distinct
        source,
        product_id
    from {{ ref('stg_order_lines') }}
    where source = 'online_retail_ii'
)

select
    codes.source,
    codes.product_id,
    min(known.line_is) as line_is
from codes
inner join {{ ref('non_product_codes') }} as known on regexp_full_match(codes.product_id, known.pattern)
group by codes.source, codes.product_id
