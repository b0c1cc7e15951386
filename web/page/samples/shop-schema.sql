--
-- PostgreSQL database dump
--

\restrict KEY

-- Dumped from database version 17.11 (Debian 17.11-0+deb13u1)
-- Dumped by pg_dump version 17.11 (Debian 17.11-0+deb13u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: shop; Type: SCHEMA; Schema: -; Owner: shop_owner
--

CREATE SCHEMA shop;


ALTER SCHEMA shop OWNER TO shop_owner;

--
-- Name: dblink; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;


--
-- Name: EXTENSION dblink; Type: COMMENT; Schema: -; Owner: 
--

COMMENT ON EXTENSION dblink IS 'for the stock in the warehouse';


--
-- Name: file_fdw; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS file_fdw WITH SCHEMA public;


--
-- Name: EXTENSION file_fdw; Type: COMMENT; Schema: -; Owner: 
--

COMMENT ON EXTENSION file_fdw IS 'foreign-data wrapper for flat file access';


--
-- Name: pgcrypto; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;


--
-- Name: EXTENSION pgcrypto; Type: COMMENT; Schema: -; Owner: 
--

COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions';


--
-- Name: order_state; Type: TYPE; Schema: shop; Owner: postgres
--

CREATE TYPE shop.order_state AS ENUM (
    'open',
    'paid',
    'sent',
    'returned'
);


ALTER TYPE shop.order_state OWNER TO postgres;

--
-- Name: import_prices(); Type: FUNCTION; Schema: shop; Owner: postgres
--

CREATE FUNCTION shop.import_prices() RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    COPY shop.products (name, price) FROM '/srv/prices/today.csv' (FORMAT csv);
END
$$;


ALTER FUNCTION shop.import_prices() OWNER TO postgres;

--
-- Name: log_ddl(); Type: FUNCTION; Schema: shop; Owner: postgres
--

CREATE FUNCTION shop.log_ddl() RETURNS event_trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE LOG 'changed: %', tg_tag;
END
$$;


ALTER FUNCTION shop.log_ddl() OWNER TO postgres;

--
-- Name: remote_stock(bigint); Type: FUNCTION; Schema: shop; Owner: postgres
--

CREATE FUNCTION shop.remote_stock(product bigint) RETURNS integer
    LANGUAGE sql
    AS $$
    SELECT stock FROM dblink('dbname=warehouse', 'SELECT stock FROM stock WHERE product = ' || product) AS t(stock integer)
$$;


ALTER FUNCTION shop.remote_stock(product bigint) OWNER TO postgres;

--
-- Name: touch_order(); Type: FUNCTION; Schema: shop; Owner: postgres
--

CREATE FUNCTION shop.touch_order() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.total := coalesce(NEW.total, 0);
    RETURN NEW;
END
$$;


ALTER FUNCTION shop.touch_order() OWNER TO postgres;

--
-- Name: price_files; Type: SERVER; Schema: -; Owner: postgres
--

CREATE SERVER price_files FOREIGN DATA WRAPPER file_fdw;


ALTER SERVER price_files OWNER TO postgres;

SET default_tablespace = fast_ssd;

SET default_table_access_method = heap;

--
-- Name: orders; Type: TABLE; Schema: shop; Owner: shop_owner; Tablespace: fast_ssd
--

CREATE TABLE shop.orders (
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    state shop.order_state DEFAULT 'open'::shop.order_state NOT NULL,
    total numeric(12,2) DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


ALTER TABLE shop.orders OWNER TO shop_owner;

--
-- Name: TABLE orders; Type: COMMENT; Schema: shop; Owner: shop_owner
--

COMMENT ON TABLE shop.orders IS 'One row for each order, on the fast disk.';


--
-- Name: customer_totals; Type: VIEW; Schema: shop; Owner: dba
--

CREATE VIEW shop.customer_totals WITH (security_barrier='true') AS
 SELECT customer_id,
    sum(total) AS total,
    count(*) AS orders
   FROM shop.orders
  GROUP BY customer_id;


ALTER VIEW shop.customer_totals OWNER TO dba;

SET default_tablespace = '';

--
-- Name: customers; Type: TABLE; Schema: shop; Owner: shop_owner
--

CREATE TABLE shop.customers (
    id bigint NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    password text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);


ALTER TABLE shop.customers OWNER TO shop_owner;

--
-- Name: customers_id_seq; Type: SEQUENCE; Schema: shop; Owner: shop_owner
--

ALTER TABLE shop.customers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME shop.customers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: orders_id_seq; Type: SEQUENCE; Schema: shop; Owner: shop_owner
--

ALTER TABLE shop.orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME shop.orders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: page_views; Type: TABLE; Schema: shop; Owner: shop_owner
--

CREATE TABLE shop.page_views (
    viewed_at timestamp with time zone DEFAULT now() NOT NULL,
    customer_id bigint,
    url text NOT NULL,
    took_ms integer
);


ALTER TABLE shop.page_views OWNER TO shop_owner;

--
-- Name: price_list; Type: FOREIGN TABLE; Schema: shop; Owner: postgres
--

CREATE FOREIGN TABLE shop.price_list (
    name text,
    price numeric
)
SERVER price_files
OPTIONS (
    filename '/srv/prices/today.csv',
    format 'csv'
);


ALTER FOREIGN TABLE shop.price_list OWNER TO postgres;

--
-- Name: products; Type: TABLE; Schema: shop; Owner: shop_owner
--

CREATE TABLE shop.products (
    id bigint NOT NULL,
    name text NOT NULL,
    price numeric(12,2) NOT NULL,
    CONSTRAINT products_price_check CHECK ((price >= (0)::numeric))
);


ALTER TABLE shop.products OWNER TO shop_owner;

--
-- Name: products_id_seq; Type: SEQUENCE; Schema: shop; Owner: shop_owner
--

ALTER TABLE shop.products ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME shop.products_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: customers customers_email_key; Type: CONSTRAINT; Schema: shop; Owner: shop_owner
--

ALTER TABLE ONLY shop.customers
    ADD CONSTRAINT customers_email_key UNIQUE (email);


--
-- Name: customers customers_pkey; Type: CONSTRAINT; Schema: shop; Owner: shop_owner
--

ALTER TABLE ONLY shop.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (id);


--
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: shop; Owner: shop_owner
--

ALTER TABLE ONLY shop.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);


--
-- Name: products products_pkey; Type: CONSTRAINT; Schema: shop; Owner: shop_owner
--

ALTER TABLE ONLY shop.products
    ADD CONSTRAINT products_pkey PRIMARY KEY (id);


SET default_tablespace = fast_ssd;

--
-- Name: orders_created_at_idx; Type: INDEX; Schema: shop; Owner: shop_owner; Tablespace: fast_ssd
--

CREATE INDEX orders_created_at_idx ON shop.orders USING btree (created_at);


SET default_tablespace = '';

--
-- Name: page_views_viewed_at_idx; Type: INDEX; Schema: shop; Owner: shop_owner
--

CREATE INDEX page_views_viewed_at_idx ON shop.page_views USING btree (viewed_at DESC);


--
-- Name: orders touch; Type: TRIGGER; Schema: shop; Owner: shop_owner
--

CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch_order();


--
-- Name: orders orders_customer_id_fkey; Type: FK CONSTRAINT; Schema: shop; Owner: shop_owner
--

ALTER TABLE ONLY shop.orders
    ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES shop.customers(id);


--
-- Name: everything; Type: PUBLICATION; Schema: -; Owner: postgres
--

CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, update, delete, truncate');


ALTER PUBLICATION everything OWNER TO postgres;

--
-- Name: SCHEMA shop; Type: ACL; Schema: -; Owner: shop_owner
--

GRANT USAGE ON SCHEMA shop TO shop_app;
GRANT USAGE ON SCHEMA shop TO analyst;


--
-- Name: TABLE orders; Type: ACL; Schema: shop; Owner: shop_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE shop.orders TO shop_app;
GRANT SELECT ON TABLE shop.orders TO analyst;


--
-- Name: TABLE customer_totals; Type: ACL; Schema: shop; Owner: dba
--

GRANT SELECT ON TABLE shop.customer_totals TO analyst;


--
-- Name: TABLE customers; Type: ACL; Schema: shop; Owner: shop_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE shop.customers TO shop_app;
GRANT SELECT ON TABLE shop.customers TO analyst;


--
-- Name: TABLE page_views; Type: ACL; Schema: shop; Owner: shop_owner
--

GRANT SELECT,INSERT,UPDATE ON TABLE shop.page_views TO shop_app;
GRANT SELECT ON TABLE shop.page_views TO analyst;


--
-- Name: TABLE price_list; Type: ACL; Schema: shop; Owner: postgres
--

GRANT SELECT ON TABLE shop.price_list TO analyst;


--
-- Name: TABLE products; Type: ACL; Schema: shop; Owner: shop_owner
--

GRANT SELECT ON TABLE shop.products TO analyst;


--
-- Name: watch_ddl; Type: EVENT TRIGGER; Schema: -; Owner: postgres
--

CREATE EVENT TRIGGER watch_ddl ON ddl_command_end
   EXECUTE FUNCTION shop.log_ddl();


ALTER EVENT TRIGGER watch_ddl OWNER TO postgres;

--
-- PostgreSQL database dump complete
--

\unrestrict KEY

