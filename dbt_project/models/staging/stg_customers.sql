with

accepted as (
    {{ not_quarantined('customers') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        customer_id,
        {{ filled('country') }} as country,
        {{ filled('city') }} as city,
        try_cast(signup_date as date) as signup_date
    from accepted
)

select * from typed
