with

accepted as (
    {{ not_quarantined('orders') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        order_id,
        {{ utc_moment('ordered_at') }} as ordered_at,
        channel,
        {{ filled('customer_id') }} as customer_id,
        {{ filled('seller_id') }} as seller_id,
        {{ filled('status') }} as status,
        {{ filled('country') }} as country
    from accepted
)

select * from typed
