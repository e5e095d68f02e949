-- question: Which destinations did the API servers contact? What is not approved comes first, then by bytes.
-- reads:    evidence_egress (the rows of report egress)
SELECT *
FROM evidence_egress
ORDER BY
  CASE verdict WHEN 'unapproved' THEN 0 WHEN 'expired' THEN 1 WHEN 'too-early' THEN 2 WHEN 'wrong-path' THEN 3 WHEN 'indeterminate' THEN 4
    WHEN 'approved' THEN 6 ELSE 5 END,
  bytes_accepted DESC NULLS LAST,
  cluster_arn,
  dst_addr,
  dst_port,
  protocol
