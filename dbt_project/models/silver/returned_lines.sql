with

lines as (
    select
        order_lines.*,
        coalesce({{ shop_date('order_lines.returned_at') }}, order_lines.order_date) as return_date,
        coalesce(order_lines.status = 'returned', false)
        or order_lines.returned_at is not null
        or orders.order_id is not null as is_returned
    from {{ ref('order_lines') }} as order_lines
    left join {{ ref('orders') }} as orders
        on order_lines.order_id = orders.order_id and orders.has_header and orders.status = 'returned'
),

sales as (
    select * from lines
    where line_type = 'sale' and is_returned
),

negatives as (
    select * from lines
    where line_type = 'return'
),

told_by_state as (
    {{ pair_of('sales', 'negatives') }}
),

told_by_line as (
    {{ pair_of('negatives', 'sales') }}
),

told_twice as (
    select
        pair,
        product_id,
        unit_price,
        -sum(quantity) as units
    from told_by_line
    group by pair, product_id, unit_price
),

returns as (
    select
        *,
        -quantity as units
    from told_by_line

    union all

    -- what negative lines tell already is not told again by the state
    select
        told_by_state.*,
        least(
            told_by_state.quantity,
            sum(told_by_state.quantity) over earlier_and_this - coalesce(told_twice.units, 0)
        ) as units
    from told_by_state
    left join told_twice using (pair, product_id, unit_price)
    window earlier_and_this as (partition by pair, product_id, unit_price order by ordered_at, order_line_id)
)

select
    order_line_id,
    order_id,
    product_id,
    channel,
    customer_id,
    return_date,
    units,
    unit_price
from returns
where units > 0
