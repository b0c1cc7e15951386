//! Which catalogs are read, and what of each: the kinds of objects with their owners, privileges and definitions.
//!
//! Every session of ours has an empty `search_path`: functions without a schema are `pg_catalog`'s, and definitions come
//! with all names qualified.

use super::object::not_member;
use crate::omitted::DUMPED_INDEX;

/// The first object id of a user's own: everything below belongs to the server itself.
const FIRST_USER_OID: u32 = 16384;

/// The schema that `initdb` makes.
const PUBLIC_OID: u32 = 2200;

/// The kind of the database itself.
pub(super) const DATABASE: &str = "database";

/// One catalog: what of it, its owner, its privileges and its definition. `o` is the row.
struct Kind {
    catalog: &'static str,
    owner: &'static str,
    /// The column of its privileges, and the letter that `acldefault` knows it by.
    acl: Option<(&'static str, &'static str)>,
    /// The column that names the table it is a part of: an extension's table has no parts of the user's.
    table: &'static str,
    filter: &'static str,
    /// What is compared of it: arguments of `json_build_object`.
    says: &'static str,
}

/// The options of a column that `ALTER TABLE … ALTER COLUMN … SET` accepts (`reloptions.c`, the same from 9.0 to 19). A
/// server may keep others there for itself, as 17.12 does with `pg_attver`; no dump has them, and they are no difference.
const SETTABLE_OPTIONS: &str = "'n_distinct', 'n_distinct_inherited'";

/// The options of foreign data in this column, as SQL writes them. What of them is secret is masked where they are shown.
macro_rules! options {
    ($column:literal) => {
        concat!(
            "(SELECT string_agg(format('%I %L', split_part(x, '=', 1), substr(x, strpos(x, '=') + 1)), ', ' \
             ORDER BY x COLLATE \"C\") FROM unnest(",
            $column,
            ") x)"
        )
    };
}

/// Leaves out what the server makes and drops together with something else.
const NOT_INTERNAL: &str = "NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.tableoid \
                            AND d.objid = o.oid AND d.deptype = 'i')";

const KINDS: &[Kind] = &[
    Kind::new("pg_namespace").owner("nspowner").acl("nspacl", "'n'"),
    Kind::new("pg_class")
        .owner("relowner")
        .acl("relacl", "CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\"")
        // Toast tables follow their table; indexes come with it in another question.
        .only(
            // A composite type's class is a part of the type, and it is the type that an extension has.
            "o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND o.relpersistence <> 't' AND NOT EXISTS \
             (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass \
             AND e.objid = o.reltype AND e.deptype = 'e')",
        )
        .says(CLASS),
    Kind::new("pg_proc").owner("proowner").acl("proacl", "'f'").only(NOT_INTERNAL).says(
        "'definition', CASE WHEN o.prokind = 'a' THEN (SELECT concat_ws(', ', 'sfunc ' || a.aggtransfn, \
           'stype ' || format_type(a.aggtranstype, NULL), 'kind ' || a.aggkind::text, 'direct ' || a.aggnumdirectargs, \
           'final ' || nullif(a.aggfinalfn::text, '-'), 'combine ' || nullif(a.aggcombinefn::text, '-'), \
           'serial ' || nullif(a.aggserialfn::text, '-'), 'deserial ' || nullif(a.aggdeserialfn::text, '-'), \
           'msfunc ' || nullif(a.aggmtransfn::text, '-'), 'minv ' || nullif(a.aggminvtransfn::text, '-'), \
           'mfinal ' || nullif(a.aggmfinalfn::text, '-'), 'extra ' || a.aggfinalextra, 'mextra ' || a.aggmfinalextra, \
           'modify ' || a.aggfinalmodify::text, 'mmodify ' || a.aggmfinalmodify::text, 'space ' || a.aggtransspace, \
           'sortop ' || nullif(a.aggsortop::regoperator::text, '0'), \
           'mstype ' || nullif(format_type(nullif(a.aggmtranstype, 0), NULL), '-'), 'init ' || a.agginitval, \
           'minit ' || a.aggminitval, 'parallel ' || o.proparallel::text) FROM pg_aggregate a WHERE a.aggfnoid = o.oid) \
         ELSE pg_get_functiondef(o.oid) END",
    ),
    Kind::new("pg_type")
        .owner("typowner")
        .acl("typacl", "'T'")
        .only(
            "o.typtype IN ('b', 'd', 'e', 'r') AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)",
        )
        .says(
            "'labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e \
               WHERE e.enumtypid = o.oid), \
             'base type', CASE WHEN o.typtype = 'd' THEN concat_ws(' ', format_type(o.typbasetype, o.typtypmod), \
               CASE WHEN o.typnotnull THEN 'not null' END, (SELECT 'collate ' || c.oid::regcollation FROM pg_collation c \
               WHERE c.oid = o.typcollation AND c.oid <> (SELECT b.typcollation FROM pg_type b WHERE b.oid = o.typbasetype))) END, \
             'default', CASE WHEN o.typtype = 'd' THEN o.typdefault END, \
             'range', (SELECT concat_ws(', ', format_type(r.rngsubtype, NULL), \
               (SELECT 'opclass ' || format('%I.%I', n.nspname, c.opcname) FROM pg_opclass c JOIN pg_namespace n \
                ON n.oid = c.opcnamespace WHERE c.oid = r.rngsubopc), \
               'collation ' || nullif(r.rngcollation, 0)::regcollation, 'canonical ' || nullif(r.rngcanonical::text, '-'), \
               'diff ' || nullif(r.rngsubdiff::text, '-'), 'multirange ' || format_type(r.rngmultitypid, NULL)) \
               FROM pg_range r WHERE r.rngtypid = o.oid), \
             'functions', CASE WHEN o.typtype = 'b' THEN concat_ws(', ', o.typinput, o.typoutput, o.typreceive, o.typsend, \
               o.typmodin, o.typmodout, o.typlen, o.typbyval, o.typalign, o.typstorage, o.typcategory, o.typdelim) END",
        ),
    Kind::new("pg_foreign_data_wrapper").owner("fdwowner").acl("fdwacl", "'F'").says(concat!(
        "'definition', concat_ws(' ', 'handler', o.fdwhandler::regproc, 'validator', o.fdwvalidator::regproc), 'options', ",
        options!("o.fdwoptions")
    )),
    Kind::new("pg_foreign_server").owner("srvowner").acl("srvacl", "'S'").says(concat!(
        "'definition', concat_ws(' ', 'type ' || o.srvtype, 'version ' || o.srvversion, \
           (SELECT quote_ident(w.fdwname) FROM pg_foreign_data_wrapper w WHERE w.oid = o.srvfdw)), 'options', ",
        options!("o.srvoptions")
    )),
    Kind::new("pg_language")
        .owner("lanowner")
        .acl("lanacl", "'l'")
        .says("'handler', o.lanplcallfoid::regproc::text, 'trusted', o.lanpltrusted"),
    Kind::new("pg_largeobject_metadata").owner("lomowner").acl("lomacl", "'L'"),
    Kind::new("pg_collation").owner("collowner").says(
        // The column's name changed in 17, and 16 began to shorten locales: en-u-kn-true is en-u-kn.
        "'definition', concat_ws(' ', o.collprovider, o.collisdeterministic, o.collcollate, o.collctype, \
           replace(coalesce(to_jsonb(o) ->> 'colllocale', to_jsonb(o) ->> 'colliculocale'), '-true', ''), to_jsonb(o) ->> 'collicurules')",
    ),
    Kind::new("pg_conversion").owner("conowner").says(
        "'definition', concat_ws(' ', pg_encoding_to_char(o.conforencoding), pg_encoding_to_char(o.contoencoding), \
           o.conproc, o.condefault)",
    ),
    Kind::new("pg_operator").owner("oprowner").says(
        "'definition', concat_ws(', ', 'result ' || format_type(o.oprresult, NULL), 'function ' || o.oprcode, \
           'commutator ' || nullif(o.oprcom, 0)::regoperator, 'negator ' || nullif(o.oprnegate, 0)::regoperator, \
           'restrict ' || nullif(o.oprrest::text, '-'), 'join ' || nullif(o.oprjoin::text, '-'), \
           CASE WHEN o.oprcanhash THEN 'hashes' END, CASE WHEN o.oprcanmerge THEN 'merges' END)",
    ),
    Kind::new("pg_opclass").owner("opcowner").says(
        "'definition', concat_ws(' ', format_type(o.opcintype, NULL), CASE WHEN o.opcdefault THEN 'default' END, \
           'storage ' || format_type(nullif(o.opckeytype, 0), NULL), (SELECT 'family ' || quote_ident(f.opfname) \
           FROM pg_opfamily f WHERE f.oid = o.opcfamily))",
    ),
    Kind::new("pg_opfamily").owner("opfowner").says(
        "'members', (SELECT string_agg(x, ', ' ORDER BY x) FROM (SELECT format('operator %s %s', m.amopstrategy, \
             m.amopopr::regoperator) FROM pg_amop m WHERE m.amopfamily = o.oid UNION ALL \
           SELECT format('function %s %s', m.amprocnum, m.amproc::regprocedure) FROM pg_amproc m \
             WHERE m.amprocfamily = o.oid) y(x))",
    ),
    Kind::new("pg_ts_config").owner("cfgowner").says(
        "'mapping', (SELECT string_agg(format('%s %s %s', t.alias, m.mapseqno, m.mapdict::regdictionary), ', ' \
           ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m LEFT JOIN ts_token_type(o.cfgparser) t \
           ON t.tokid = m.maptokentype WHERE m.mapcfg = o.oid)",
    ),
    Kind::new("pg_ts_dict").owner("dictowner").says(
        "'definition', concat_ws(' ', (SELECT format('%I.%I', n.nspname, t.tmplname) FROM pg_ts_template t \
           JOIN pg_namespace n ON n.oid = t.tmplnamespace WHERE t.oid = o.dicttemplate), o.dictinitoption)",
    ),
    Kind::new("pg_ts_parser")
        .says("'functions', concat_ws(' ', o.prsstart, o.prstoken, o.prsend, o.prsheadline, o.prslextype)"),
    Kind::new("pg_ts_template").says("'functions', concat_ws(' ', o.tmplinit, o.tmpllexize)"),
    Kind::new("pg_statistic_ext").owner("stxowner").says(
        // No target of its own is -1 up to 16 and NULL since.
        "'definition', pg_get_statisticsobjdef(o.oid), 'table', o.stxrelid::regclass::text, \
         'target', nullif(o.stxstattarget, -1)",
    ),
    Kind::new("pg_event_trigger").owner("evtowner").says(
        "'definition', concat_ws(' ', o.evtevent, o.evtfoid::regprocedure, (SELECT string_agg(t, ', ' ORDER BY t) \
           FROM unnest(o.evttags) t)), 'enabled', o.evtenabled",
    ),
    Kind::new("pg_publication").owner("pubowner").says(
        "'content', concat_ws(' ', CASE WHEN o.puballtables THEN 'all tables' END, CASE WHEN o.pubinsert THEN 'insert' END, \
           CASE WHEN o.pubupdate THEN 'update' END, CASE WHEN o.pubdelete THEN 'delete' END, \
           CASE WHEN o.pubtruncate THEN 'truncate' END, CASE WHEN o.pubviaroot THEN 'via root' END, \
           'generated columns ' || nullif(to_jsonb(o) ->> 'pubgencols', 'n')), \
         'tables', (SELECT string_agg(concat_ws(' ', r.prrelid::regclass, (SELECT '(' || string_agg(quote_ident(a.attname), \
             ', ' ORDER BY a.attnum) || ')' FROM pg_attribute a WHERE a.attrelid = r.prrelid \
             AND a.attnum = ANY (r.prattrs::int2[])), 'where ' || pg_get_expr(r.prqual, r.prrelid)), ', ' \
             ORDER BY r.prrelid::regclass::text COLLATE \"C\") FROM pg_publication_rel r WHERE r.prpubid = o.oid)",
    ),
    Kind::new("pg_cast").only(NOT_INTERNAL).says(
        "'definition', concat_ws(' ', nullif(o.castfunc, 0)::regprocedure, o.castcontext, o.castmethod)",
    ),
    Kind::new("pg_transform").says("'functions', concat_ws(' ', o.trffromsql, o.trftosql)"),
    Kind::new("pg_am").says("'definition', concat_ws(' ', o.amtype, o.amhandler)"),
    Kind::new("pg_policy").of("polrelid").says(
        "'command', o.polcmd::text || CASE WHEN o.polpermissive THEN ' permissive' ELSE ' restrictive' END, \
         'roles', (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ' \
           ORDER BY pg_get_userbyid(r) COLLATE \"C\") FROM unnest(o.polroles) r), \
         'condition', pg_get_expr(o.polqual, o.polrelid), 'check', pg_get_expr(o.polwithcheck, o.polrelid)",
    ),
    Kind::new("pg_trigger")
        .of("tgrelid")
        // Until 14, a partition's part of its root's trigger counts as internal.
        .only("(NOT o.tgisinternal OR o.tgparentid <> 0 AND o.tgconstraint = 0)")
        .says("'definition', pg_get_triggerdef(o.oid), 'enabled', o.tgenabled"),
    Kind::new("pg_rewrite")
        .of("ev_class")
        .only("o.rulename <> '_RETURN'")
        .says("'definition', pg_get_ruledef(o.oid), 'enabled', o.ev_enabled"),
    Kind::new("pg_attrdef").of("adrelid").says("'definition', pg_get_expr(o.adbin, o.adrelid)"),
    // Not-null constraints have rows from 18 on; those that a partition inherits are named by the server.
    Kind::new("pg_constraint")
        .of("conrelid")
        .only("o.contype <> 'n' AND o.conparentid = 0")
        // A dump has an inherited CHECK with its parent, and its parent's validity.
        .says(
            "'definition', CASE WHEN o.contype = 'c' AND o.coninhcount > 0 \
             THEN regexp_replace(pg_get_constraintdef(o.oid), ' NOT VALID$', '') ELSE pg_get_constraintdef(o.oid) END",
        ),
];

/// Of relations. No option that a user may set begins with `pg_`, as 17.12's own of columns does: should a server keep one of
/// its own here, it is no difference.
const CLASS: &str = concat!(
    "\
    'persistence', CASE WHEN o.relkind = 'r' OR o.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d \
      WHERE d.classid = o.tableoid AND d.objid = o.oid AND d.deptype = 'i') \
      THEN CASE o.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'logged' END END, \
    'options', CASE WHEN o.relkind <> 'f' THEN (SELECT string_agg(x, ', ' ORDER BY x) FROM (SELECT unnest(o.reloptions) \
      UNION ALL SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = o.reltoastrelid) y(x) \
      WHERE x !~ '^(toast\\.)?pg_') \
      ELSE (SELECT ",
    options!("f.ftoptions"),
    " FROM pg_foreign_table f WHERE f.ftrelid = o.oid) END, \
    'server', (SELECT quote_ident(s.srvname) FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver \
      WHERE f.ftrelid = o.oid), \
    'access method', (SELECT m.amname FROM pg_am m WHERE m.oid = o.relam AND o.relkind IN ('r', 'm')), \
    'row security', nullif(concat_ws(' ', CASE WHEN o.relrowsecurity THEN 'enabled' END, \
      CASE WHEN o.relforcerowsecurity THEN 'forced' END), ''), \
    'replica identity', CASE WHEN o.relkind IN ('r', 'p') THEN CASE o.relreplident WHEN 'd' THEN 'default' \
      WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' ELSE (SELECT 'index ' || quote_ident(x.relname) FROM pg_index i \
      JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = o.oid AND i.indisreplident) END END, \
    'bound', pg_get_expr(o.relpartbound, o.oid), 'partition key', pg_get_partkeydef(o.oid), \
    'parents', (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i \
      WHERE i.inhrelid = o.oid), \
    'row type', format_type(nullif(o.reloftype, 0), NULL), \
    'definition', CASE WHEN o.relkind IN ('v', 'm') THEN pg_get_viewdef(o.oid) END, \
    'populated', CASE WHEN o.relkind = 'm' THEN o.relispopulated END, \
    'parameters', (SELECT format('%s start %s increment %s min %s max %s cache %s%s', format_type(s.seqtypid, NULL), \
      s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END) \
      FROM pg_sequence s WHERE s.seqrelid = o.oid), \
    'column', (SELECT quote_ident(a.attname) FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid \
      AND a.attnum = d.refobjsubid WHERE o.relkind = 'S' AND d.objid = o.oid AND d.classid = o.tableoid \
      AND d.refclassid = o.tableoid AND d.deptype IN ('a', 'i') LIMIT 1), \
    'owned by', (SELECT format('%I.%I', n.nspname, t.relname) FROM pg_depend d \
      JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace n ON n.oid = t.relnamespace \
      WHERE o.relkind = 'S' AND d.objid = o.oid AND d.classid = o.tableoid AND d.refclassid = o.tableoid \
      AND d.deptype IN ('a', 'i') LIMIT 1)"
);

impl Kind {
    const fn new(catalog: &'static str) -> Self {
        Self { catalog, owner: "", acl: None, table: "", filter: "true", says: "" }
    }

    const fn owner(self, owner: &'static str) -> Self {
        Self { owner, ..self }
    }

    const fn acl(self, column: &'static str, kind: &'static str) -> Self {
        Self { acl: Some((column, kind)), ..self }
    }

    const fn of(self, table: &'static str) -> Self {
        Self { table, ..self }
    }

    const fn only(self, filter: &'static str) -> Self {
        Self { filter, ..self }
    }

    const fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    /// Gives kind, identity, owner, privileges and a JSON object of what is compared.
    fn question(&self) -> String {
        let Self { catalog, owner, acl, table, filter, says } = self;
        let owner_name = if owner.is_empty() { "NULL".into() } else { format!("pg_get_userbyid(o.{owner})") };
        let privileges = acl.map_or("NULL".into(), |(acl, kind)| {
            explode(&format!("coalesce(o.{acl}, acldefault({kind}, o.{owner}))"))
        });
        let public = if *catalog == "pg_namespace" { "OR o.nspname = 'public'" } else { "" };
        let user = format!("(o.oid >= {FIRST_USER_OID} {public})");
        // Large objects have ids of their own choice, and are known by the catalog of their contents.
        let (user, class) = match *catalog {
            "pg_largeobject_metadata" => ("true".to_owned(), "'pg_largeobject'::regclass"),
            _ => (user, "o.tableoid"),
        };
        let table = match *table {
            "" => String::new(),
            column => format!("AND {}", not_member("'pg_class'::regclass", &format!("o.{column}"))),
        };
        format!(
            "SELECT i.type, i.identity, {owner_name}, {privileges}, json_build_object({says}) \
             FROM pg_catalog.{catalog} o, LATERAL pg_identify_object({class}, o.oid, 0) i WHERE {user} AND {filter} \
             {table} AND i.schema IS DISTINCT FROM 'pg_toast' AND i.identity !~ '^\"?pg_(toast|temp)' AND {}",
            not_member(class, "o.oid")
        )
    }
}

/// Newer columns that some questions ask for: from which version on, how they are asked for, and what stands there before.
const NEWER: &[(u32, &str, &str)] = &[
    (14, "nullif(a.attcompression, '')", "NULL"),
    (14, ", 'multirange ' || format_type(r.rngmultitypid, NULL)", ""),
    (15, "a.attnum = ANY (r.prattrs::int2[])", "false"),
    (15, "pg_get_expr(r.prqual, r.prrelid)", "NULL"),
    (
        15,
        "FROM pg_publication_namespace s JOIN",
        "FROM (SELECT NULL::oid AS pnpubid, NULL::oid AS pnnspid) s JOIN",
    ),
];

/// All questions to a server of this major version.
pub(super) fn questions(major: u32) -> Vec<String> {
    let all = KINDS.iter().map(Kind::question).chain(others()).chain(whole());
    all.map(|question| {
        let older = NEWER.iter().filter(|(since, ..)| major < *since);
        older.fold(question, |question, (_, new, old)| question.replace(new, old))
    })
    .collect()
}

fn explode(acl: &str) -> String {
    format!(
        "(SELECT json_agg(json_build_array(CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) \
         END, a.privilege_type, a.is_grantable)) FROM aclexplode({acl}) a)"
    )
}

/// The same of the database itself, and comments on everything.
fn whole() -> Vec<String> {
    vec![
        format!(
            "SELECT 'comment', 'on ' || i.type || ' ' || i.identity, NULL, NULL, json_build_object('', d.description) \
             FROM pg_description d, LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i \
             WHERE (d.objoid >= {FIRST_USER_OID} OR d.classoid = 'pg_largeobject'::regclass \
               OR d.classoid = 'pg_namespace'::regclass AND d.objoid = {PUBLIC_OID}) AND i.type <> 'extension' AND {}",
            not_member("d.classoid", "d.objoid")
        ),
        // An extension brings its own, which differs from version to version.
        "SELECT 'comment', 'on extension ' || quote_ident(e.extname), NULL, NULL, json_build_object('', d.description) \
         FROM pg_extension e JOIN pg_description d ON d.classoid = 'pg_extension'::regclass AND d.objoid = e.oid \
         JOIN pg_available_extensions a ON a.name = e.extname \
         WHERE d.description <> a.comment AND e.extname NOT IN ('plpgsql', 'timescaledb')"
            .into(),
        "SELECT 'comment', 'on role ' || quote_ident(r.rolname), NULL, NULL, json_build_object('', d.description) \
         FROM pg_shdescription d JOIN pg_roles r ON r.oid = d.objoid AND d.classoid = 'pg_authid'::regclass \
         WHERE r.rolname !~ '^pg_'"
            .into(),
        "SELECT 'comment', 'on database', NULL, NULL, json_build_object('', shobj_description(d.oid, 'pg_database')) \
         FROM pg_database d WHERE d.datname = current_database() AND shobj_description(d.oid, 'pg_database') IS NOT NULL"
            .into(),
        // Their names are others, and so may be their owners.
        format!(
            "SELECT '{DATABASE}', 'of this name', pg_get_userbyid(d.datdba), {}, '{{}}' FROM pg_database d WHERE d.datname = current_database()",
            explode("coalesce(d.datacl, acldefault('d', d.datdba))")
        ),
    ]
}

/// Questions whose answers do not fit the pattern of [`KINDS`]. All give kind, identity, owner, privileges, and a JSON
/// object of what is compared.
fn others() -> Vec<String> {
    let member = not_member("'pg_class'::regclass", "c.oid");
    let user = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
    vec![
        "SELECT 'extension', quote_ident(extname), NULL, NULL, json_build_object('version', extversion, 'schema', \
         extnamespace::regnamespace::text) FROM pg_extension WHERE extname <> 'plpgsql'"
            .into(),
        format!(
            "SELECT 'index', format('%I.%I on %I.%I', n.nspname, x.relname, n.nspname, c.relname), NULL, NULL, \
             json_build_object('definition', pg_get_indexdef(x.oid), 'state', CASE WHEN NOT i.indisvalid THEN 'invalid' END, \
               'clustered', nullif(i.indisclustered, false), 'primary', nullif(i.indisprimary, false), 'parent', \
               (SELECT p.inhparent::regclass::text FROM pg_inherits p WHERE p.inhrelid = x.oid), \
               'statistics', (SELECT string_agg(a.attnum || ' ' || a.attstattarget, ', ' ORDER BY a.attnum) \
               FROM pg_attribute a WHERE a.attrelid = x.oid AND a.attstattarget >= 0)) \
             FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid \
             JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE {user} AND c.relpersistence <> 't' AND {DUMPED_INDEX} AND {member}"
        ),
        format!(
            "SELECT 'column', format('%I.%I.%I', n.nspname, c.relname, a.attname), \
             pg_get_userbyid(c.relowner), {}, json_build_object('type', format_type(a.atttypid, a.atttypmod), \
               'not null', nullif(a.attnotnull, false), \
               'identity', CASE WHEN NOT c.relispartition THEN nullif(a.attidentity, '') END, \
               'generated', nullif(a.attgenerated, ''), \
               'collation', (SELECT a.attcollation::regcollation::text FROM pg_type t WHERE t.oid = a.atttypid \
                 AND t.typcollation <> a.attcollation), \
               'storage', CASE WHEN c.relkind IN ('r', 'p', 'm') THEN a.attstorage END, \
               'compression', nullif(a.attcompression, ''), 'statistics target', nullif(a.attstattarget, -1), \
               'options', (SELECT string_agg(x, ', ' ORDER BY x) FROM unnest(a.attoptions) x \
                 WHERE split_part(x, '=', 1) IN ({SETTABLE_OPTIONS})), 'foreign options', {}, \
               CASE WHEN c.relispartition OR NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) \
                 THEN 'position' ELSE 'position below others' END, \
                 (SELECT count(*) FROM pg_attribute b WHERE b.attrelid = c.oid AND b.attnum > 0 AND b.attnum <= a.attnum \
                 AND NOT b.attisdropped)) \
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE a.attnum > 0 AND NOT a.attisdropped AND {user} AND n.nspname <> '_timescaledb_internal' \
             AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't' AND {member} AND {}",
            explode("a.attacl"),
            options!("a.attfdwoptions"),
            not_member("'pg_type'::regclass", "c.reltype")
        ),
        // Named since 18; the comparison leaves them out where one server has none. Those that come from a parent follow
        // it, and whether a partition also has its own depends on how it became one.
        "SELECT 'not-null constraint', format('%I on %s', o.conname, o.conrelid::regclass), NULL, NULL, \
         json_build_object('definition', pg_get_constraintdef(o.oid)) FROM pg_constraint o \
         WHERE o.contype = 'n' AND o.conrelid <> 0 AND o.coninhcount = 0 AND o.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend e \
         WHERE e.classid = 'pg_class'::regclass AND e.objid = o.conrelid AND e.deptype = 'e')"
            .into(),
        format!(
            "SELECT 'default privileges', format('for %s on %s%s', quote_ident(pg_get_userbyid(d.defaclrole)), \
             d.defaclobjtype, coalesce(' in ' || quote_ident(n.nspname), '')), \
             pg_get_userbyid(d.defaclrole), {}, '{{}}' FROM pg_default_acl d \
             LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace",
            explode("d.defaclacl")
        ),
        "SELECT 'security label', format('%s on %s %s', l.provider, l.objtype, l.objname), NULL, NULL, \
         json_build_object('', l.label) FROM pg_seclabels l WHERE l.objtype NOT IN ('database', 'role', 'tablespace')"
            .into(),
        "SELECT 'publication schema', format('%I in %I', n.nspname, p.pubname), NULL, NULL, '{}' \
         FROM pg_publication_namespace s JOIN pg_publication p ON p.oid = s.pnpubid \
         JOIN pg_namespace n ON n.oid = s.pnnspid"
            .into(),
        "SELECT 'user mapping', format('for %s on server %I', CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(m.usename) END, \
         m.srvname), NULL, NULL, '{}' FROM pg_user_mappings m"
            .into(),
        "SELECT 'subscription', quote_ident(s.subname), pg_get_userbyid(s.subowner), NULL, json_build_object('publications', \
         array_to_string(s.subpublications, ', ')) FROM (SELECT oid, subdbid, subname, subowner, subpublications \
         FROM pg_subscription) s WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
            .into(),
        "SELECT 'role', quote_ident(rolname), NULL, NULL, json_build_object('login', rolcanlogin, 'inherit', rolinherit, \
         'createrole', rolcreaterole, 'createdb', rolcreatedb, 'bypassrls', rolbypassrls, 'replication', rolreplication, 'superuser', rolsuper, \
         'connection limit', rolconnlimit, 'valid until', rolvaliduntil) FROM pg_roles WHERE rolname !~ '^pg_'"
            .into(),
        "SELECT 'membership', format('%I in %I', m.rolname, g.rolname), NULL, NULL, json_build_object('', \
         concat_ws(' ', CASE WHEN bool_or(a.admin_option) THEN 'with admin option' END), \
         'inherit', bool_or((to_jsonb(a) ->> 'inherit_option')::bool), 'set', bool_or((to_jsonb(a) ->> 'set_option')::bool)) \
         FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member \
         JOIN pg_roles g ON g.oid = a.roleid GROUP BY m.rolname, g.rolname"
            .into(),
        "SELECT 'role setting', format('%I %s', r.rolname, split_part(c, '=', 1)), NULL, NULL, json_build_object('', c) \
         FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, \
         unnest(s.setconfig) c WHERE s.setdatabase = 0"
            .into(),
        super::members::QUESTION.into(),
        // Settings of all roles are the database's where it has none of its own.
        "(SELECT DISTINCT ON (s.setrole, split_part(c, '=', 1)) 'database setting', \
         concat_ws(' ', quote_ident(r.rolname), split_part(c, '=', 1)), NULL, NULL, json_build_object('', c) \
         FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase \
         LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c \
         WHERE (d.datname = current_database() OR s.setrole = 0 AND s.setdatabase = 0) \
         AND split_part(c, '=', 1) <> 'timescaledb.restoring' \
         ORDER BY s.setrole, split_part(c, '=', 1), s.setdatabase = 0)"
            .into(),
    ]
}
