-- question: What does AWS meter of this traffic on each day, at which resource, and whose is it?
-- answers:  one row per account charged, region, meter, direction, resource, day and owner: what a bill is compared with
-- params:   $by VARCHAR = none, $tag VARCHAR = Name, $nat_az_ends BIGINT = 2
-- reads:    meters
-- caveat:   day is in seconds since 1970, UTC
SELECT
  account_id,
  region,
  meter,
  operation,
  to_region,
  resource,
  CAST(hour AS BIGINT) / 86400 * 86400               AS day,
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
  coalesce(sum(bytes) FILTER (WHERE observed), 0)    AS observed_bytes
FROM meters
WHERE NOT (category = 'nat' AND meter = 'inter-az-bytes' AND ends_min = 0 AND $nat_az_ends = 1)
GROUP BY account_id, region, meter, operation, to_region, resource, CAST(hour AS BIGINT) / 86400 * 86400, owner
ORDER BY account_id NULLS LAST, region, meter, operation, to_region, resource, day, owner NULLS LAST
