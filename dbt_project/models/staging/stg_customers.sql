with

accepted as (
    {{ not_quarantined('customers') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        landed_at,
        customer_id,
        country,
        city,
        try_cast(signup_date as date) as signup_date
    from accepted
)

select * from typed
