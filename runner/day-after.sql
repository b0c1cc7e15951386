-- The end of the demo: what a team does next on the target, as the application's owner and as the administrator.
-- Prints a line for each piece of work, and ends at the first that fails.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET timezone = 'UTC';

SET ROLE shop_owner;
\echo as shop_owner
INSERT INTO shop.orders (customer, placed, amount) VALUES (1, '2025-12-24 12:00', 4200);
SELECT '  an order has the next number: ' || max(id) FROM shop.orders;
INSERT INTO shop.readings VALUES ('2025-01-03 00:00:01', 7, 21.5), ('2031-01-01', 7, 22);
SELECT '  a reading in an old chunk, and one in a new chunk: ' || count(*) || ' chunks' FROM public.show_chunks('shop.readings');
ALTER TABLE shop.readings ADD COLUMN humidity real DEFAULT 50;
CREATE INDEX readings_by_humidity ON shop.readings (humidity, at DESC);
SELECT '  a column and an index more: ' || count(humidity) || ' rows have it' FROM shop.readings;
SELECT '  old chunks dropped: ' || count(*) FROM public.drop_chunks('shop.readings', older_than => timestamptz '2025-02-01');
CREATE TABLE shop.visits (at timestamptz NOT NULL, door integer);
SELECT '  a new hypertable: ' || hypertable_id FROM public.create_hypertable('shop.visits', public.by_range('at'));
INSERT INTO shop.visits SELECT '2031-01-01'::timestamptz + i * interval '1 hour', i % 7 FROM generate_series(1, 500) i;
GRANT SELECT ON shop.visits TO reporting;
SELECT '  its rows: ' || count(*) FROM shop.visits;

SELECT current_setting('timescaledb.license') = 'timescale' AS full_edition \gset
\if :full_edition
INSERT INTO shop.readings (at, sensor, celsius) VALUES ('2025-03-03 00:00:01', 7, 23);
SELECT '  a reading in a compressed chunk, and chunks compressed: ' || count(public.compress_chunk(c, true))
    FROM public.show_chunks('shop.readings', older_than => timestamptz '2025-05-01') c;
SELECT '  chunks decompressed: ' || count(public.decompress_chunk(c)) FROM public.show_chunks('shop.readings', older_than => timestamptz '2025-02-15') c;
CREATE MATERIALIZED VIEW shop.daily WITH (timescaledb.continuous) AS
    SELECT public.time_bucket('1 day', at) AS day, sensor, avg(celsius) AS celsius FROM shop.readings GROUP BY 1, 2 WITH NO DATA;
CALL public.refresh_continuous_aggregate('shop.daily', NULL, NULL);
SELECT '  a continuous aggregate over a moved hypertable: ' || count(*) || ' rows' FROM shop.daily;
CALL public.refresh_continuous_aggregate('shop.hourly', NULL, NULL);
SELECT '  a moved one, refreshed: ' || count(*) || ' rows, ' || sum(number) || ' readings' FROM shop.hourly;
SELECT '  policies as on the source: ' || count(*) FROM timescaledb_information.jobs WHERE hypertable_name = 'readings';
SELECT '  a retention policy: job ' || public.add_retention_policy('shop.daily', interval '50 years');
\else
\echo '  (this server has the Apache edition: no compression, continuous aggregates and policies to try)'
\endif

RESET ROLE;
SELECT 'as ' || current_user;
SELECT '  reads and changes all of it: ' || count(*) || ' doors' FROM shop.doors;
UPDATE shop.readings SET celsius = celsius + 1 WHERE at = '2025-03-01' AND sensor = 0;
SELECT '  old chunks dropped: ' || count(*) FROM public.drop_chunks('shop.doors', older_than => timestamptz '2025-02-01');
CREATE ROLE shop_night LOGIN; GRANT shop_owner TO shop_night;
\echo '  a new role, a member of the owner'
