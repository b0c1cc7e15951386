-- Measurements in plain PostgreSQL: tables that would do well as hypertables, one as it is, the others after a decision.
CREATE DATABASE sensors;
\c sensors
CREATE TABLE sensors (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, unit text NOT NULL);
CREATE TABLE readings ("time" timestamptz NOT NULL, sensor_id integer NOT NULL REFERENCES sensors, value double precision);
CREATE INDEX readings_sensor_id_time_idx ON readings (sensor_id, "time" DESC);
CREATE TABLE alarms (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, raised_at timestamptz NOT NULL DEFAULT now(), sensor_id integer NOT NULL REFERENCES sensors, message text);
CREATE INDEX alarms_raised_at_idx ON alarms (raised_at DESC);
CREATE TABLE meter_values (meter text NOT NULL, read_at timestamptz NOT NULL, kwh numeric NOT NULL, PRIMARY KEY (meter, read_at)) PARTITION BY RANGE (read_at);
CREATE TABLE meter_values_2025 PARTITION OF meter_values FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE meter_values_2026 PARTITION OF meter_values FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE VIEW latest AS SELECT DISTINCT ON (sensor_id) sensor_id, "time", value FROM readings ORDER BY sensor_id, "time" DESC;
