{% set entity_columns = [
    'order_id', 'line_number', 'ordered_at', 'channel', 'product_id', 'product_name', 'quantity', 'unit_price',
    'customer_id', 'seller_id', 'status', 'country', 'currency',
] %}

with

accepted as (
    {{ not_quarantined('order_lines') }}
),

-- a source without line numbers has no key of its own: there the whole row is the key
keyed as (
    select
        *,
        case
            when try_cast(line_number as bigint) is null then {{ surrogate_key(entity_columns) }}
            else {{ surrogate_key(['order_id', 'cast(try_cast(line_number as bigint) as varchar)']) }}
        end as order_line_id
    from accepted
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        order_line_id,
        order_id,
        try_cast(line_number as bigint) as line_number,
        {{ utc_moment('ordered_at') }} as ordered_at,
        channel,
        product_id,
        {{ filled('product_name') }} as product_name,
        try_cast(quantity as double) as quantity,
        try_cast(unit_price as double) as unit_price,
        {{ filled('customer_id') }} as customer_id,
        {{ filled('seller_id') }} as seller_id,
        {{ filled('status') }} as status,
        {{ filled('country') }} as country,
        coalesce({{ filled('currency') }}, '{{ var("currency") }}') as currency
    from keyed
)

select * from typed
