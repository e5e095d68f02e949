-- question: How many bytes moved between AZs, by pair and by what lies between, and how many of their ends does AWS meter?
-- answers:  one row per pair of AZ ids and category
-- params:   $nat_az_ends BIGINT = 2, $unresolved BIGINT = 0
-- reads:    movements
-- caveat:   list prices: flowproof report cross-az. $unresolved 1 adds bytes without an AZ at both ends, which may have moved between two
SELECT
  src_az_id,
  dst_az_id,
  category,
  region,
  sum(bytes)                                                                     AS bytes,
  coalesce(sum(bytes) FILTER (WHERE (src_ends = 0 OR src_logged) AND (dst_ends = 0 OR dst_logged)), 0) AS observed_bytes,
  max(CASE WHEN category = 'nat' THEN $nat_az_ends ELSE src_ends + dst_ends END) AS metered_ends,
  min(src_ends_min + dst_ends_min)                                               AS metered_ends_min,
  sum(bytes * CASE WHEN category = 'nat' THEN $nat_az_ends ELSE src_ends + dst_ends END) AS metered_bytes,
  sum(bytes * (src_ends_min + dst_ends_min))                                     AS metered_bytes_min,
  sum(bytes * (CASE WHEN src_logged THEN src_ends ELSE 0 END + CASE WHEN dst_logged THEN dst_ends ELSE 0 END)) AS observed_end_bytes
FROM movements
WHERE src_az_id <> dst_az_id OR ($unresolved = 1 AND (src_az_id IS NULL OR dst_az_id IS NULL))
GROUP BY src_az_id, dst_az_id, category, region, src_ends + dst_ends
ORDER BY src_az_id, dst_az_id, category, metered_ends, region
