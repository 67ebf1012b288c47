with

accepted as (
    {{ not_quarantined('sellers') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        landed_at,
        seller_id,
        seller_name,
        country,
        city
    from accepted
)

select * from typed
