with

accepted as (
    {{ not_quarantined('orders') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        landed_at,
        order_id,
        {{ utc_moment('ordered_at') }} as ordered_at,
        channel,
        customer_id,
        seller_id,
        status,
        country
    from accepted
)

select * from typed
