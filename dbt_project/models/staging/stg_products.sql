with

accepted as (
    {{ not_quarantined('products') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        product_id,
        {{ filled('product_name') }} as product_name,
        {{ filled('category') }} as category,
        {{ filled('brand') }} as brand,
        {{ filled('seller_id') }} as seller_id,
        try_cast(unit_cost as double) as unit_cost,
        try_cast(launch_date as date) as launch_date,
        try_cast(discontinued_date as date) as discontinued_date
    from accepted
)

select * from typed
