-- question: Which connections did control-plane interfaces have on each UTC day?
-- answers:  one row per connection and day from the first to the last of its records
-- reads:    connections
-- caveat:   a connection of several days counts on each of them
SELECT
  by_day.*,
  to_char(day_time, '%Y-%m-%d')                          AS day,
  peer_addr || ' ' || CASE WHEN protocol IN (6, 17, 132) THEN lower(protocol_name(protocol)) || '/' || peer_port
    ELSE coalesce(lower(protocol_name(protocol)), 'protocol ' || protocol) END AS destination
FROM (
  SELECT
    connections.*,
    unnest(generate_series(date_trunc('day', first_start_time), date_trunc('day', last_start_time), INTERVAL '1 day')) AS day_time
  FROM connections
) AS by_day
