with

latest as (
    {{ keep_last('stg_ad_spend', ['date', 'ad_channel', 'campaign']) }}
)

select
    date,
    ad_channel,
    campaign,
    spend,
    impressions,
    clicks,
    source,
    file_sha256,
    row_number,
    delivered_at,
    loaded_at
from latest
