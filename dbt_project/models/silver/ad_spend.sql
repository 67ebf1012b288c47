with

totals as (
    {{ added_up('stg_ad_spend', ['date', 'ad_channel', 'campaign'], {
        'spend': sum_of('spend'),
        'impressions': 'sum(impressions)::bigint',
        'clicks': 'sum(clicks)::bigint',
    }) }}
)

select * from totals
