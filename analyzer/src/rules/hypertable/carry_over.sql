-- What CREATE TABLE … LIKE does not copy: sequences, foreign keys, triggers, policies, privileges, publications, owner.
CREATE OR REPLACE FUNCTION pg_temp.carry_over(old regclass, new regclass, skipped text[]) RETURNS void
    LANGUAGE plpgsql AS $function$
DECLARE
    one record;
    users text;
    -- As definitions write them: with their schema, whatever the search_path.
    old_name text := (SELECT format('%s.%I', relnamespace::regnamespace, relname) FROM pg_class WHERE oid = old);
    new_name text := (SELECT format('%s.%I', relnamespace::regnamespace, relname) FROM pg_class WHERE oid = new);
BEGIN
    SELECT string_agg(DISTINCT r.ev_class::regclass::text, ', ') INTO users
        FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = old
            AND r.ev_class <> old;
    IF users IS NOT NULL THEN
        RAISE EXCEPTION '% is used by views: %', old, users
            USING HINT = 'Drop them in this transaction before, and make them anew behind it.';
    END IF;
    SELECT string_agg(conrelid::regclass::text, ', ') INTO users
        FROM pg_constraint WHERE contype = 'f' AND confrelid = old AND conparentid = 0;
    IF users IS NOT NULL THEN
        RAISE EXCEPTION '% is referred to by foreign keys of %', old, users
            USING HINT = 'Drop them in this transaction before.';
    END IF;
    FOR one IN SELECT a.attname, d.deptype, c.oid::regclass AS sequence
        FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
            JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = old
    LOOP
        IF one.deptype = 'a' THEN
            EXECUTE format('ALTER SEQUENCE %s OWNED BY %s.%I', one.sequence, new, one.attname);
        ELSE
            EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), last_value, is_called) FROM %s',
                new::text, one.attname, one.sequence);
        END IF;
    END LOOP;
    FOR one IN SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE conrelid = old AND contype = 'f' AND conparentid = 0
    LOOP
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', new, one.conname, one.definition);
    END LOOP;
    FOR one IN SELECT pg_get_triggerdef(oid) AS definition FROM pg_trigger
        WHERE tgrelid = old AND NOT tgisinternal AND tgparentid = 0 AND tgname <> ALL (skipped)
    LOOP
        EXECUTE replace(one.definition, format(' ON %s ', old_name), format(' ON %s ', new_name));
    END LOOP;
    FOR one IN SELECT p.polname, p.polpermissive, p.polroles, p.polcmd,
            pg_get_expr(p.polqual, p.polrelid) AS seen, pg_get_expr(p.polwithcheck, p.polrelid) AS written
        FROM pg_policy p WHERE p.polrelid = old
    LOOP
        EXECUTE format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', one.polname, new,
            CASE WHEN one.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE one.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            (SELECT string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', ')
                FROM unnest(one.polroles) AS role),
            ' USING (' || one.seen || ')', ' WITH CHECK (' || one.written || ')');
    END LOOP;
    IF (SELECT relrowsecurity FROM pg_class WHERE oid = old) THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', new);
    END IF;
    IF (SELECT relforcerowsecurity FROM pg_class WHERE oid = old) THEN
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', new);
    END IF;
    FOR one IN SELECT p.pubname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
        WHERE r.prrelid = old
    LOOP
        EXECUTE format('ALTER PUBLICATION %I ADD TABLE %s', one.pubname, new);
    END LOOP;
    FOR one IN SELECT grantee, privilege_type, is_grantable
        FROM pg_class, aclexplode(relacl) WHERE oid = old AND grantee <> relowner
    LOOP
        EXECUTE format('GRANT %s ON %s TO %s%s', one.privilege_type, new,
            CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END,
            CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    EXECUTE format('ALTER TABLE %s OWNER TO %s', new, (SELECT relowner::regrole FROM pg_class WHERE oid = old));
END $function$;
