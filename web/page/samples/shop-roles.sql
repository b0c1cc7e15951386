--
-- PostgreSQL database cluster dump
--

\restrict KEY

SET default_transaction_read_only = off;

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

--
-- Roles
--

CREATE ROLE analyst;
ALTER ROLE analyst WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE backup;
ALTER ROLE backup WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN REPLICATION NOBYPASSRLS;
CREATE ROLE dba;
ALTER ROLE dba WITH SUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS;
CREATE ROLE shop_app;
ALTER ROLE shop_app WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE shop_owner;
ALTER ROLE shop_owner WITH NOSUPERUSER INHERIT NOCREATEROLE CREATEDB LOGIN NOREPLICATION NOBYPASSRLS;

--
-- User Configurations
--

--
-- User Config "dba"
--

ALTER ROLE dba SET log_statement TO 'ddl';

--
-- User Config "shop_app"
--

ALTER ROLE shop_app SET statement_timeout TO '30s';


--
-- Role memberships
--

GRANT analyst TO shop_app WITH INHERIT TRUE GRANTED BY postgres;
GRANT pg_read_server_files TO backup WITH INHERIT TRUE GRANTED BY postgres;




\unrestrict KEY

--
-- PostgreSQL database cluster dump complete
--

