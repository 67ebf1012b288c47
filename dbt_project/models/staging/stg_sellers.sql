with

accepted as (
    {{ not_quarantined('sellers') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        seller_id,
        {{ filled('seller_name') }} as seller_name,
        {{ filled('country') }} as country,
        {{ filled('city') }} as city
    from accepted
)

select * from typed
