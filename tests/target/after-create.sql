-- pgextwlist runs this as the superuser after CREATE EXTENSION timescaledb, and fills in the words between @ signs.
-- It gives the database owner what a restore needs and a superuser would have had.

-- Both functions set timescaledb.restoring for the database, which only a superuser may do.
DO $script$
DECLARE
    restore text;
BEGIN
    FOREACH restore IN ARRAY ARRAY['timescaledb_pre_restore()', 'timescaledb_post_restore()'] LOOP
        restore := '@extschema@.' || restore;
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp', restore);
        -- Restoring mode hides the rows of every hypertable: nobody but the owner may turn it on.
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', restore);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO @database_owner@', restore);
    END LOOP;
END
$script$;

-- A dump fills TimescaleDB's own tables. The owner of the database may write them but does not own them, so that
-- DISABLE TRIGGER and ALTER on them stay refused.
DO $script$
DECLARE
    namespace regnamespace;
BEGIN
    FOR namespace IN
        SELECT oid FROM pg_catalog.pg_namespace
        WHERE nspname IN ('_timescaledb_internal', '_timescaledb_config', '_timescaledb_catalog', '_timescaledb_cache')
    LOOP
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %s TO @database_owner@', namespace);
        EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %s TO @database_owner@', namespace);
        EXECUTE format('GRANT ALL ON ALL SEQUENCES IN SCHEMA %s TO @database_owner@', namespace);
        -- An update of the extension adds tables.
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT ALL ON TABLES TO @database_owner@', namespace);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT ALL ON SEQUENCES TO @database_owner@', namespace);
    END LOOP;
END
$script$;
