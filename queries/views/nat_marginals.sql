-- view:     What left and entered NAT gateways beyond them, by remote, where the format has no packet addresses
-- a row is: the bytes of an hour between one gateway and one remote; who the client was cannot be told
-- reads:    hourly
-- columns:  as nat_transfers. These bytes are those of its rows without remote_addr, seen from the other side: never add both
SELECT
  hour,
  coalesce(resource, interface_id) AS nat_gateway_id,
  region,
  peer_addr                        AS remote_addr,
  peer_service                     AS remote_service,
  protocol,
  service_port,
  nat_class = 'B*'                 AS up,
  peer_scope                       AS remote_scope,
  peer_range_region                AS remote_region,
  CASE
    WHEN peer_scope <> 'public' THEN NULL
    WHEN peer_service = 'EC2' AND peer_range_region = region THEN 'public-ip-bytes'
    WHEN peer_range_region IN ('GLOBAL', region) OR (peer_service IS NOT NULL AND peer_range_region IS NULL) THEN NULL
    WHEN peer_range_region IS NOT NULL THEN 'inter-region-bytes'
    ELSE 'internet-egress-bytes'
  END                              AS remote_meter,
  bytes
FROM hourly
WHERE counted AND log_status = 'OK' AND action = 'ACCEPT' AND nat_class IN ('B*', 'C*')
