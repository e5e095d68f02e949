-- question: Which hours of each control-plane interface do the logs cover?
-- answers:  one row per interface and hour of the period
-- reads:    coverage
-- controls: NIST 800-53 AU-12
-- caveat:   silence is a gap only where the interface is known to have existed, and late until the settle delay is over
SELECT
  "cluster", interface_id, "hour", state,
  records_ok + records_nodata + records_skipdata AS records,
  cluster_arn, records_ok, records_nodata, records_skipdata, flow_logs, weaknesses
FROM coverage
ORDER BY "cluster", cluster_arn, interface_id, "hour"
