-- question: Whose bytes moved between AZs, and who is charged for them?
-- answers:  one row per owner and category
-- params:   $by VARCHAR = account, $tag VARCHAR = Name, $charge VARCHAR = split, $nat_az_ends BIGINT = 2
-- reads:    movements
-- caveat:   $by is account, vpc, subnet, eni, service, cluster, namespace or tag; $charge says who pays a movement: split (each end its own
--           owner, as billed), sender or receiver
WITH ends AS (
  SELECT
    *,
    CASE WHEN category = 'nat' AND $nat_az_ends = 1 THEN src_ends_min ELSE src_ends END AS src_metered,
    CASE WHEN category = 'nat' AND $nat_az_ends = 1 THEN dst_ends_min ELSE dst_ends END AS dst_metered,
    unnest(make_array(true, false)) AS is_src
  FROM movements
  WHERE src_az_id <> dst_az_id
),
owned AS (
  SELECT
    category, region, bytes, is_src, src_metered, dst_metered, src_ends_min, dst_ends_min,
    CASE $by
      WHEN 'account' THEN CASE WHEN is_src THEN src_account_id ELSE dst_account_id END
      WHEN 'vpc' THEN CASE WHEN is_src THEN src_vpc_id ELSE dst_vpc_id END
      WHEN 'subnet' THEN CASE WHEN is_src THEN src_subnet_id ELSE dst_subnet_id END
      WHEN 'eni' THEN CASE WHEN is_src THEN src_interface_id ELSE dst_interface_id END
      WHEN 'cluster' THEN CASE WHEN src_kind = 'eks-control-plane' THEN src_cluster WHEN dst_kind = 'eks-control-plane' THEN dst_cluster END
      WHEN 'service' THEN lower(protocol_name(protocol)) || '/' || CAST(service_port AS VARCHAR)
      WHEN 'namespace' THEN pod_namespace(CASE WHEN is_src THEN src_name ELSE dst_name END)
      WHEN 'tag' THEN coalesce(
        eni_tag(CASE WHEN is_src THEN src_interface_id ELSE dst_interface_id END, $tag),
        tag_value(CASE WHEN is_src THEN src_tags ELSE dst_tags END, $tag))
    END AS owner,
    CASE $charge
      WHEN 'sender' THEN CASE WHEN is_src THEN src_metered + dst_metered ELSE 0 END
      WHEN 'receiver' THEN CASE WHEN is_src THEN 0 ELSE src_metered + dst_metered END
      ELSE CASE WHEN is_src THEN src_metered ELSE dst_metered END
    END AS ends,
    CASE $charge
      WHEN 'sender' THEN CASE WHEN is_src THEN src_ends_min + dst_ends_min ELSE 0 END
      WHEN 'receiver' THEN CASE WHEN is_src THEN 0 ELSE src_ends_min + dst_ends_min END
      ELSE CASE WHEN is_src THEN src_ends_min ELSE dst_ends_min END
    END AS ends_min
  FROM ends
)
SELECT
  owner,
  category,
  region,
  coalesce(sum(bytes) FILTER (WHERE is_src), 0)      AS bytes_out,
  coalesce(sum(bytes) FILTER (WHERE NOT is_src), 0)  AS bytes_in,
  sum(bytes * ends)                                  AS metered_bytes,
  sum(bytes * ends_min)                              AS metered_bytes_min
FROM owned
GROUP BY owner, category, region
ORDER BY owner NULLS LAST, category, region
