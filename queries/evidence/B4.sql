-- statement: The flow logs that cover the control plane record all traffic, at VPC or subnet level, with the fields that the statements need, and were not replaced on the day.
-- reads:     evidence_flow_logs
SELECT cluster_arn, day, subject, finding, reason, 1 AS items, CAST(NULL AS VARCHAR) AS first_line
FROM evidence_flow_logs
