-- Measurements in TimescaleDB of one's own: a hypertable with chunks, and plain tables beside it.
CREATE DATABASE plant;
\c plant
SET client_min_messages = error;
CREATE EXTENSION timescaledb;
CREATE TABLE devices (id integer PRIMARY KEY, name text NOT NULL UNIQUE, place text);
CREATE TABLE conditions ("time" timestamptz NOT NULL, device_id integer NOT NULL REFERENCES devices, temperature double precision, humidity double precision);
SELECT create_hypertable('conditions', by_range('time', INTERVAL '1 week'));
CREATE INDEX conditions_device_id_time_idx ON conditions (device_id, "time" DESC);
INSERT INTO devices VALUES (1, 'boiler', 'cellar'), (2, 'roof', NULL);
INSERT INTO conditions SELECT day, device, 20 + device, 50 FROM generate_series('2026-01-05 00:00:00+00'::timestamptz, '2026-01-18', INTERVAL '1 day') AS day, generate_series(1, 2) AS device;
CREATE VIEW warm AS SELECT * FROM conditions WHERE temperature > 21;
GRANT SELECT ON conditions TO PUBLIC;
