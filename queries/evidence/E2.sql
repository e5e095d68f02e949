-- statement: The cost of the API server's egress can be estimated: every metered way has a rate in the price list.
-- reads:     connections_by_day, evidence_subnets, prices
-- caveat:    an estimate from list prices; whether AWS bills the control plane's end of cross-AZ traffic is not documented
WITH metered AS (
  SELECT
    opened.cluster_arn,
    opened.day,
    opened.region,
    opened.destination,
    opened.first_line,
    opened.first_start_time,
    CASE
      WHEN opened.path LIKE '%via nat-%' THEN 'nat-bytes'
      WHEN opened.path LIKE '%via tgw-%' THEN 'transit-gateway-bytes'
      WHEN opened.path LIKE '%via vpce-%' THEN 'endpoint-bytes'
      WHEN local_subnets.az_id <> peer_subnets.az_id THEN 'inter-az-bytes'
      WHEN opened.path IS NULL OR opened.path = 'vpc' AND (local_subnets.az_id IS NULL OR peer_subnets.az_id IS NULL) THEN 'unknown'
      ELSE 'none'
    END                                                  AS meter
  FROM connections_by_day AS opened
  LEFT JOIN evidence_subnets AS local_subnets ON local_subnets.cluster_arn = opened.cluster_arn AND cidr_contains(local_subnets.cidr, opened.local_addr)
  LEFT JOIN evidence_subnets AS peer_subnets ON peer_subnets.cluster_arn = opened.cluster_arn AND cidr_contains(peer_subnets.cidr, opened.peer_addr)
  WHERE opened.initiator = 'local' AND opened.egress_records_accepted > 0
)
SELECT
  metered.cluster_arn,
  metered.day,
  metered.destination                                    AS subject,
  CASE WHEN metered.meter = 'none' OR rates.meter IS NOT NULL THEN 'pass' ELSE 'indeterminate' END AS finding,
  CASE
    WHEN metered.meter = 'none' THEN 'no meter of the network applies'
    WHEN metered.meter = 'unknown' THEN 'which way it went, or between which availability zones, is not known'
    WHEN rates.meter IS NOT NULL THEN 'metered as ' || metered.meter || ', rate as of ' || rates.as_of
    ELSE 'the price list has no rate of ' || metered.meter || ' in ' || coalesce(metered.region, 'an unknown region')
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(metered.first_line ORDER BY metered.first_start_time, metered.first_line) AS first_line
FROM metered
LEFT JOIN (SELECT region, meter, max(as_of) AS as_of FROM prices GROUP BY region, meter) AS rates
  ON rates.region = metered.region AND rates.meter = metered.meter
GROUP BY 1, 2, 3, 4, 5
