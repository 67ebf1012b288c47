{# Without a line number a line is what it says, but for when it was updated, and which of several alike it is. #}
{% set content = [
    'order_id', 'line_number', 'ordered_at', 'channel', 'product_id', 'product_name', 'quantity', 'unit_price',
    'customer_id', 'seller_id', 'status', 'country', 'currency', 'discount', 'tax', 'returned_at',
] %}
{% set which = 'cast(greatest(coalesce(occurrence, 1), 1) as varchar)' %}

with

accepted as (
    {{ not_quarantined('order_lines') }}
),

keyed as (
    select
        *,
        case
            when try_cast(line_number as bigint) is null then {{ surrogate_key(content + [which]) }}
            else {{ surrogate_key(['channel', 'order_id', 'cast(try_cast(line_number as bigint) as varchar)']) }}
        end as order_line_id,
        {{ utc_moment('updated_at') }} as utc_updated_at
    from accepted
),

typed as (
    select
        source,
        feed,
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
        coalesce(try_cast(quantity as double), 0) as quantity,
        try_cast(unit_price as double) as unit_price,
        {{ filled('customer_id') }} as customer_id,
        {{ filled('seller_id') }} as seller_id,
        {{ filled('status') }} as status,
        {{ filled('country') }} as country,
        coalesce({{ filled('currency') }}, '{{ var("currency") }}') as currency,
        try_cast(discount as double) as discount,
        try_cast(tax as double) as tax,
        utc_updated_at as updated_at,
        {{ utc_moment('returned_at') }} as returned_at,
        coalesce(occurrence, 1) = 0 as is_replaced_in_file,
        coalesce(utc_updated_at, delivered_at) as version_at
    from keyed
)

select * from typed
