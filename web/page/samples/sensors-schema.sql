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

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alarms; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.alarms (
    id bigint NOT NULL,
    raised_at timestamp with time zone DEFAULT now() NOT NULL,
    sensor_id integer NOT NULL,
    message text
);


ALTER TABLE public.alarms OWNER TO postgres;

--
-- Name: alarms_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

ALTER TABLE public.alarms ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.alarms_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: readings; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.readings (
    "time" timestamp with time zone NOT NULL,
    sensor_id integer NOT NULL,
    value double precision
);


ALTER TABLE public.readings OWNER TO postgres;

--
-- Name: latest; Type: VIEW; Schema: public; Owner: postgres
--

CREATE VIEW public.latest AS
 SELECT DISTINCT ON (sensor_id) sensor_id,
    "time",
    value
   FROM public.readings
  ORDER BY sensor_id, "time" DESC;


ALTER VIEW public.latest OWNER TO postgres;

--
-- Name: meter_values; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.meter_values (
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    kwh numeric NOT NULL
)
PARTITION BY RANGE (read_at);


ALTER TABLE public.meter_values OWNER TO postgres;

--
-- Name: meter_values_2025; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.meter_values_2025 (
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    kwh numeric NOT NULL
);


ALTER TABLE public.meter_values_2025 OWNER TO postgres;

--
-- Name: meter_values_2026; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.meter_values_2026 (
    meter text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    kwh numeric NOT NULL
);


ALTER TABLE public.meter_values_2026 OWNER TO postgres;

--
-- Name: sensors; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.sensors (
    id integer NOT NULL,
    name text NOT NULL,
    unit text NOT NULL
);


ALTER TABLE public.sensors OWNER TO postgres;

--
-- Name: sensors_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

ALTER TABLE public.sensors ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sensors_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: meter_values_2025; Type: TABLE ATTACH; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.meter_values ATTACH PARTITION public.meter_values_2025 FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2026-01-01 00:00:00+00');


--
-- Name: meter_values_2026; Type: TABLE ATTACH; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.meter_values ATTACH PARTITION public.meter_values_2026 FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');


--
-- Name: alarms alarms_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT alarms_pkey PRIMARY KEY (id);


--
-- Name: meter_values meter_values_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.meter_values
    ADD CONSTRAINT meter_values_pkey PRIMARY KEY (meter, read_at);


--
-- Name: meter_values_2025 meter_values_2025_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.meter_values_2025
    ADD CONSTRAINT meter_values_2025_pkey PRIMARY KEY (meter, read_at);


--
-- Name: meter_values_2026 meter_values_2026_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.meter_values_2026
    ADD CONSTRAINT meter_values_2026_pkey PRIMARY KEY (meter, read_at);


--
-- Name: sensors sensors_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.sensors
    ADD CONSTRAINT sensors_pkey PRIMARY KEY (id);


--
-- Name: alarms_raised_at_idx; Type: INDEX; Schema: public; Owner: postgres
--

CREATE INDEX alarms_raised_at_idx ON public.alarms USING btree (raised_at DESC);


--
-- Name: readings_sensor_id_time_idx; Type: INDEX; Schema: public; Owner: postgres
--

CREATE INDEX readings_sensor_id_time_idx ON public.readings USING btree (sensor_id, "time" DESC);


--
-- Name: meter_values_2025_pkey; Type: INDEX ATTACH; Schema: public; Owner: postgres
--

ALTER INDEX public.meter_values_pkey ATTACH PARTITION public.meter_values_2025_pkey;


--
-- Name: meter_values_2026_pkey; Type: INDEX ATTACH; Schema: public; Owner: postgres
--

ALTER INDEX public.meter_values_pkey ATTACH PARTITION public.meter_values_2026_pkey;


--
-- Name: alarms alarms_sensor_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT alarms_sensor_id_fkey FOREIGN KEY (sensor_id) REFERENCES public.sensors(id);


--
-- Name: readings readings_sensor_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.readings
    ADD CONSTRAINT readings_sensor_id_fkey FOREIGN KEY (sensor_id) REFERENCES public.sensors(id);


--
-- PostgreSQL database dump complete
--

\unrestrict KEY

