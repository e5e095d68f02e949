SELECT vpc_id, min(account_id) AS account_id, min(region) AS region
FROM hourly
WHERE vpc_id IS NOT NULL
GROUP BY vpc_id
