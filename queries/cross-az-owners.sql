-- question: Whose bytes moved between AZs, and who is charged for them?
-- answers:  one row per owner and category
-- params:   $by VARCHAR = account, $tag VARCHAR = Name, $charge VARCHAR = split, $nat_az_ends BIGINT = 2
-- reads:    movements
-- caveat:   $by is account, vpc, subnet, eni, service, cluster, namespace or tag; $charge says who pays a movement: split (each end its own
--           owner, as billed), sender or receiver
WITH moved AS (
  SELECT
    category, region, bytes,
    CASE WHEN category = 'nat' AND $nat_az_ends = 1 THEN src_ends_min ELSE src_ends END AS src_ends,
    CASE WHEN category = 'nat' AND $nat_az_ends = 1 THEN dst_ends_min ELSE dst_ends END AS dst_ends,
    src_ends_min, dst_ends_min,
    CASE $by
      WHEN 'account' THEN src_account_id
      WHEN 'vpc' THEN src_vpc_id
      WHEN 'subnet' THEN src_subnet_id
      WHEN 'eni' THEN src_interface_id
      WHEN 'cluster' THEN CASE WHEN src_kind = 'eks-control-plane' THEN src_cluster WHEN dst_kind = 'eks-control-plane' THEN dst_cluster END
      WHEN 'service' THEN lower(protocol_name(protocol)) || '/' || CAST(service_port AS VARCHAR)
      WHEN 'namespace' THEN CASE WHEN src_name LIKE 'pod/%' THEN split_part(src_name, '/', 2) END
      WHEN 'tag' THEN eni_tag(src_interface_id, $tag)
    END AS src_owner,
    CASE $by
      WHEN 'account' THEN dst_account_id
      WHEN 'vpc' THEN dst_vpc_id
      WHEN 'subnet' THEN dst_subnet_id
      WHEN 'eni' THEN dst_interface_id
      WHEN 'cluster' THEN CASE WHEN src_kind = 'eks-control-plane' THEN src_cluster WHEN dst_kind = 'eks-control-plane' THEN dst_cluster END
      WHEN 'service' THEN lower(protocol_name(protocol)) || '/' || CAST(service_port AS VARCHAR)
      WHEN 'namespace' THEN CASE WHEN dst_name LIKE 'pod/%' THEN split_part(dst_name, '/', 2) END
      WHEN 'tag' THEN eni_tag(dst_interface_id, $tag)
    END AS dst_owner
  FROM movements
  WHERE src_az_id <> dst_az_id
),
sides AS (
  SELECT src_owner AS owner, category, region, bytes AS bytes_out, 0 AS bytes_in,
    CASE $charge WHEN 'receiver' THEN 0 WHEN 'sender' THEN src_ends + dst_ends ELSE src_ends END AS ends,
    CASE $charge WHEN 'receiver' THEN 0 WHEN 'sender' THEN src_ends_min + dst_ends_min ELSE src_ends_min END AS ends_min
  FROM moved
  UNION ALL
  SELECT dst_owner AS owner, category, region, 0 AS bytes_out, bytes AS bytes_in,
    CASE $charge WHEN 'sender' THEN 0 WHEN 'receiver' THEN src_ends + dst_ends ELSE dst_ends END AS ends,
    CASE $charge WHEN 'sender' THEN 0 WHEN 'receiver' THEN src_ends_min + dst_ends_min ELSE dst_ends_min END AS ends_min
  FROM moved
)
SELECT
  owner,
  category,
  region,
  sum(bytes_out)                          AS bytes_out,
  sum(bytes_in)                           AS bytes_in,
  sum((bytes_out + bytes_in) * ends)      AS metered_bytes,
  sum((bytes_out + bytes_in) * ends_min)  AS metered_bytes_min
FROM sides
GROUP BY owner, category, region
ORDER BY owner NULLS LAST, category, region
