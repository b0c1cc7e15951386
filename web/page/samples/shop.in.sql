-- A shop's database as it grows in some years on a server of one's own.
CREATE ROLE shop_owner LOGIN CREATEDB;
CREATE ROLE shop_app LOGIN;
CREATE ROLE analyst NOLOGIN;
CREATE ROLE backup LOGIN REPLICATION;
CREATE ROLE dba LOGIN SUPERUSER;
ALTER ROLE shop_app SET statement_timeout = '30s';
ALTER ROLE dba SET log_statement = 'ddl';
GRANT analyst TO shop_app;
GRANT pg_read_server_files TO backup;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE fast_ssd LOCATION '';
CREATE DATABASE shop OWNER shop_owner;
\c shop
CREATE EXTENSION pgcrypto;
CREATE EXTENSION dblink;
CREATE EXTENSION file_fdw;
CREATE SCHEMA shop AUTHORIZATION shop_owner;
SET search_path = shop, public;
CREATE TYPE order_state AS ENUM ('open', 'paid', 'sent', 'returned');
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    password text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    price numeric(12,2) NOT NULL CHECK (price >= 0)
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    state order_state NOT NULL DEFAULT 'open',
    total numeric(12,2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
) TABLESPACE fast_ssd;
CREATE INDEX orders_created_at_idx ON orders (created_at) TABLESPACE fast_ssd;
CREATE TABLE page_views (
    viewed_at timestamptz NOT NULL DEFAULT now(),
    customer_id bigint,
    url text NOT NULL,
    took_ms integer
);
CREATE INDEX page_views_viewed_at_idx ON page_views (viewed_at DESC);
CREATE VIEW customer_totals WITH (security_barrier) AS
    SELECT customer_id, sum(total) AS total, count(*) AS orders FROM orders GROUP BY customer_id;
CREATE FUNCTION touch_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.total := coalesce(NEW.total, 0);
    RETURN NEW;
END
$$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch_order();
CREATE FUNCTION import_prices() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    COPY shop.products (name, price) FROM '/srv/prices/today.csv' (FORMAT csv);
END
$$;
CREATE FUNCTION remote_stock(product bigint) RETURNS integer LANGUAGE sql AS $$
    SELECT stock FROM dblink('dbname=warehouse', 'SELECT stock FROM stock WHERE product = ' || product) AS t(stock integer)
$$;
CREATE SERVER price_files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE price_list (name text, price numeric) SERVER price_files OPTIONS (filename '/srv/prices/today.csv', format 'csv');
CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE LOG 'changed: %', tg_tag;
END
$$;
CREATE EVENT TRIGGER watch_ddl ON ddl_command_end EXECUTE FUNCTION log_ddl();
CREATE PUBLICATION everything FOR ALL TABLES;
ALTER TABLE customers OWNER TO shop_owner;
ALTER TABLE products OWNER TO shop_owner;
ALTER TABLE orders OWNER TO shop_owner;
ALTER TABLE page_views OWNER TO shop_owner;
ALTER VIEW customer_totals OWNER TO dba;
GRANT USAGE ON SCHEMA shop TO shop_app, analyst;
GRANT SELECT, INSERT, UPDATE ON customers, orders, page_views TO shop_app;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO analyst;
COMMENT ON TABLE orders IS 'One row for each order, on the fast disk.';
COMMENT ON EXTENSION dblink IS 'for the stock in the warehouse';
