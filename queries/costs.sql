-- question: What does AWS meter of this traffic, and whose is it?
-- answers:  one row per account charged, region, category, meter, direction and owner
-- params:   $by VARCHAR = none, $tag VARCHAR = Name, $nat_az_ends BIGINT = 2
-- reads:    meters
-- caveat:   $by is none, account, vpc, subnet, eni, service, cluster, namespace or tag; list prices: flowproof report cost
SELECT
  account_id,
  region,
  category,
  meter,
  operation,
  to_region,
  CASE $by
    WHEN 'account' THEN owner_account_id
    WHEN 'vpc' THEN owner_vpc_id
    WHEN 'subnet' THEN owner_subnet_id
    WHEN 'eni' THEN owner_interface_id
    WHEN 'cluster' THEN owner_cluster
    WHEN 'namespace' THEN pod_namespace(owner_name)
    WHEN 'service' THEN coalesce(remote_service, lower(protocol_name(protocol)) || '/' || CAST(service_port AS VARCHAR))
    WHEN 'tag' THEN coalesce(eni_tag(owner_interface_id, $tag), tag_value(owner_tags, $tag))
  END AS owner,
  sum(bytes)                                         AS bytes,
  coalesce(sum(bytes) FILTER (WHERE observed), 0)    AS observed_bytes,
  sum(bytes * ends_min)                              AS bytes_min
FROM meters
WHERE NOT (category = 'nat' AND meter = 'inter-az-bytes' AND ends_min = 0 AND $nat_az_ends = 1)
GROUP BY account_id, region, category, meter, operation, to_region, owner
ORDER BY account_id NULLS LAST, region, category, meter, operation, to_region, owner NULLS LAST
