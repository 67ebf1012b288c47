with

accepted as (
    {{ not_quarantined('inventory_levels') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        product_id,
        try_cast(date as date) as date,
        try_cast(date as timestamp) as counted_at,
        try_cast(on_hand_units as double) as on_hand_units,
        coalesce({{ filled('location') }}, '') as location,
        coalesce({{ filled('is_selling') }}, 'yes') as is_selling
    from accepted
)

select * from typed
