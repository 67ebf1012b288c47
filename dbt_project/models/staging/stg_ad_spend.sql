with

accepted as (
    {{ not_quarantined('ad_spend') }}
),

typed as (
    select
        source,
        file_sha256,
        row_number,
        delivered_at,
        loaded_at,
        coalesce(occurrence, 1) = 0 as is_copy,
        try_cast(date as date) as date,
        ad_channel,
        campaign,
        try_cast(spend as double) as spend,
        try_cast(impressions as bigint) as impressions,
        try_cast(clicks as bigint) as clicks
    from accepted
)

select * from typed
