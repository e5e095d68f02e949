-- question: Which log objects were read, and was each read whole?
-- answers:  one row per object, damaged ones first
-- reads:    objects
-- controls: NIST 800-53 AU-12
SELECT log_object, status, reason, flow_log_id, size, records_ok, records_nodata, records_skipdata, records_rejected, first_start, last_end
FROM objects
ORDER BY status = 'read', log_object
