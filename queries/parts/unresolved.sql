SELECT region, sum(bytes) AS bytes
FROM movements
WHERE src_az_id IS NULL OR dst_az_id IS NULL
GROUP BY region
ORDER BY region
