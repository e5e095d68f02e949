-- question: How did the connections end that the API servers opened?
-- answers:  one row per cluster and outcome, with bytes and the share of connections whose handshake was seen
-- reads:    connections
SELECT
  cluster,
  outcome,
  count(*)                                                  AS connections,
  count(DISTINCT peer_addr)                                 AS destinations,
  sum(egress_bytes_accepted + ingress_bytes_accepted)       AS bytes,
  count(*) FILTER (WHERE confidence = 'certain')            AS certain
FROM connections
WHERE initiator = 'local'
GROUP BY cluster, outcome
ORDER BY cluster, outcome
