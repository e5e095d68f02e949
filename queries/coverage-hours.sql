-- question: In which hours was each control-plane interface logged, and in which not?
-- answers:  one row per interface and hour that is not OK and in which the interface may have existed
-- reads:    coverage
-- controls: NIST 800-53 AU-12
SELECT cluster, interface_id, hour, state, records_ok, records_nodata, records_skipdata
FROM coverage
WHERE state NOT IN ('OK', 'N/A')
ORDER BY cluster, interface_id, hour
