-- Who exists on the target before a migration starts. Run as the superuser `postgres`, which the service keeps to
-- itself: everything tsmigrate does, it does as tsdbadmin.
CREATE ROLE tsdbowner NOLOGIN;
CREATE ROLE tsdbadmin LOGIN CREATEROLE CREATEDB PASSWORD :'password';
GRANT tsdbowner TO tsdbadmin WITH ADMIN OPTION;
GRANT pg_monitor, pg_signal_backend, pg_read_all_stats, pg_stat_scan_tables, pg_checkpoint
    TO tsdbadmin WITH ADMIN OPTION;
CREATE DATABASE tsdb OWNER tsdbadmin;

-- The service lets nobody connect to the bootstrap superuser's own databases for work, but a session may start there.
-- The allow-list is what the documentation of the service names, as far as this server has it installed: an extension
-- that is listed but absent would be refused with another message than the service's.
SELECT coalesce(string_agg(name, ',' ORDER BY name), '') AS allowed
FROM pg_available_extensions
WHERE name = ANY (string_to_array(:'listed', ' ')) \gset
ALTER SYSTEM SET extwlist.extensions = :'allowed';
SELECT pg_reload_conf();
