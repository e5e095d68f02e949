-- question: Of how many connections can nobody tell who opened them?
-- answers:  one row per cluster ARN that has any
-- reads:    connections
SELECT cluster_arn, count(*) AS connections
FROM connections
WHERE initiator IS NULL
GROUP BY cluster_arn
ORDER BY cluster_arn
