-- question: In which formats do the logs come, from when to when, and which fields do they lack that a report would use?
-- answers:  one row per shape and layout, in the order of their first records
-- reads:    layouts
-- controls: NIST 800-53 AU-3
SELECT shape, record_kind, fields, objects, records, first_start, last_end, missing_egress, missing_cross_az, missing_nat, layout
FROM layouts
ORDER BY first_start NULLS LAST, shape, layout
