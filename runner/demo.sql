-- The demo's source: a small shop with sensors, made by a superuser who never thought of leaving.
-- psql variable `space`: a folder on the server for a tablespace.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

CREATE TABLESPACE fast LOCATION :'space';

CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE shop_app LOGIN PASSWORD 'correct horse battery staple';
CREATE ROLE reporting LOGIN NOINHERIT CONNECTION LIMIT 5 BYPASSRLS;
CREATE ROLE "Night Shift" LOGIN SUPERUSER REPLICATION;
GRANT shop_owner TO shop_app;
GRANT pg_read_all_stats TO reporting;
ALTER ROLE shop_app SET statement_timeout = '30s';
ALTER ROLE reporting SET default_tablespace = 'fast';
ALTER ROLE reporting SET log_min_duration_statement = '100';

CREATE DATABASE shop;
\connect shop
SET client_min_messages = warning;

CREATE EXTENSION timescaledb;
CREATE EXTENSION hstore;
CREATE EXTENSION dblink;

CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA reports;
GRANT USAGE ON SCHEMA shop TO shop_app, reporting;
GRANT USAGE ON SCHEMA reports TO reporting;

CREATE TYPE shop.status AS ENUM ('open', 'paid', 'sent', 'returned');
CREATE DOMAIN shop.cents AS bigint CHECK (VALUE >= 0);
ALTER TYPE shop.status OWNER TO shop_owner;
ALTER DOMAIN shop.cents OWNER TO shop_owner;

CREATE TABLE shop.customers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    region text NOT NULL,
    tags public.hstore
);
ALTER TABLE shop.customers OWNER TO shop_owner;

CREATE TABLE shop.orders (
    id bigserial,
    customer integer NOT NULL REFERENCES shop.customers,
    placed timestamptz NOT NULL,
    state shop.status NOT NULL DEFAULT 'open',
    amount shop.cents NOT NULL,
    PRIMARY KEY (id, placed)
) PARTITION BY RANGE (placed);
ALTER TABLE shop.orders OWNER TO shop_owner;
CREATE TABLE shop.orders_2024 PARTITION OF shop.orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') TABLESPACE fast;
CREATE TABLE shop.orders_2025 PARTITION OF shop.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE shop.orders_2024 OWNER TO shop_owner;
ALTER TABLE shop.orders_2025 OWNER TO shop_owner;
CREATE INDEX orders_by_customer ON shop.orders (customer) TABLESPACE fast;

CREATE TABLE shop.audit (
    at timestamptz NOT NULL DEFAULT now(),
    who text NOT NULL DEFAULT current_user,
    what text NOT NULL
) TABLESPACE fast;
ALTER TABLE shop.audit OWNER TO shop_owner;

CREATE FUNCTION shop.note_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO shop.audit (what) VALUES ('order ' || NEW.id || '; paid');
    RETURN NEW;
END
$$;
ALTER FUNCTION shop.note_order() OWNER TO shop_owner;
CREATE FUNCTION shop.total(customer integer) RETURNS numeric LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = shop
BEGIN ATOMIC
    SELECT sum(o.amount) FROM shop.orders o WHERE o.customer = $1;
END;
ALTER FUNCTION shop.total(integer) OWNER TO shop_owner;
REVOKE ALL ON FUNCTION shop.total(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shop.total(integer) TO reporting;

CREATE VIEW reports.by_region AS
    SELECT c.region, count(*) AS orders, sum(o.amount) AS amount
    FROM shop.orders o JOIN shop.customers c ON c.id = o.customer GROUP BY c.region;
CREATE MATERIALIZED VIEW reports.best_customers AS
    SELECT customer, sum(amount) AS amount FROM shop.orders GROUP BY customer ORDER BY 2 DESC LIMIT 100;
CREATE VIEW reports.other_shop AS
    SELECT * FROM public.dblink('dbname=other_shop', 'SELECT count(*) FROM shop.orders') AS t (orders bigint);

CREATE TABLE shop.readings (
    at timestamptz NOT NULL,
    sensor integer NOT NULL,
    celsius double precision
);
SELECT FROM public.create_hypertable('shop.readings', 'at', chunk_time_interval => interval '7 days');
CREATE INDEX readings_by_sensor ON shop.readings (sensor, at DESC);
ALTER TABLE shop.readings OWNER TO shop_owner;
CREATE TABLE shop.doors (
    at timestamptz NOT NULL,
    door integer NOT NULL,
    open boolean NOT NULL
);
SELECT FROM public.create_hypertable('shop.doors', 'at', 'door', 2, chunk_time_interval => interval '30 days');

GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA shop TO shop_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA shop TO shop_app;
GRANT SELECT (id, region) ON shop.customers TO reporting;
GRANT SELECT ON reports.by_region, reports.best_customers TO reporting WITH GRANT OPTION;
GRANT SELECT ON shop.readings TO reporting;
ALTER DEFAULT PRIVILEGES IN SCHEMA reports GRANT SELECT ON TABLES TO reporting;

INSERT INTO shop.customers (name, region, tags)
    SELECT 'Customer ' || i, (ARRAY['north', 'east', 'south', 'west'])[1 + i % 4], public.hstore('since', (2000 + i % 25)::text)
    FROM generate_series(1, 5000) i;
INSERT INTO shop.orders (customer, placed, state, amount)
    SELECT 1 + i % 5000, timestamptz '2024-01-01' + i * interval '5 minutes', 'paid', i % 10000
    FROM generate_series(0, 199999) i;
INSERT INTO shop.readings
    SELECT timestamptz '2025-01-01' + i * interval '15 seconds', i % 50, 20 + sin(i::float8 / 1000) * 5
    FROM generate_series(0, 749999) i;
INSERT INTO shop.doors
    SELECT timestamptz '2025-01-01' + i * interval '3 minutes', i % 20, i % 2 = 0 FROM generate_series(0, 49999) i;
REFRESH MATERIALIZED VIEW reports.best_customers;

-- What only the full edition of TimescaleDB has.
SELECT current_setting('timescaledb.license') = 'timescale' AS full_edition \gset
\if :full_edition
-- Whose policies these are has to be able to log in.
ALTER ROLE shop_owner LOGIN;
SET ROLE shop_owner;
ALTER TABLE shop.readings SET (timescaledb.compress, timescaledb.compress_segmentby = 'sensor');
SELECT FROM (SELECT public.compress_chunk(c) FROM public.show_chunks('shop.readings', older_than => timestamptz '2025-04-01') c) x;
CREATE MATERIALIZED VIEW shop.hourly WITH (timescaledb.continuous) AS
    SELECT public.time_bucket('1 hour', at) AS hour, sensor, avg(celsius) AS celsius, count(*) AS number
    FROM shop.readings GROUP BY 1, 2 WITH NO DATA;
SELECT FROM (SELECT public.add_retention_policy('shop.readings', interval '50 years'),
    public.add_compression_policy('shop.readings', interval '40 years'),
    public.add_continuous_aggregate_policy('shop.hourly', interval '1 month', interval '1 day', interval '1 hour')) x;
RESET ROLE;
CALL public.refresh_continuous_aggregate('shop.hourly', '2025-01-01', '2025-05-01');
\endif

CREATE TRIGGER note_order AFTER INSERT ON shop.orders FOR EACH ROW WHEN (NEW.state = 'paid')
    EXECUTE FUNCTION shop.note_order();
ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.customers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_region ON shop.customers TO shop_app USING (region = current_setting('shop.region', true));

CREATE FUNCTION reports.log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'ddl: %', tg_tag; END $$;
CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION reports.log_ddl();

COMMENT ON TABLE shop.orders IS 'One row an order; partitioned by year';
ALTER DATABASE shop SET timezone = 'UTC';
ANALYZE;
