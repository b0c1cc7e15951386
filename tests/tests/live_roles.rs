//! Whole dumps of roles and of what they own, rewritten and restored on locked-down servers: nothing is refused, and the
//! target has the owners and privileges of the source. (`live_rules.rs` asks about single statements.)

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio_postgres::{NoTls, SimpleQueryMessage};
use tsmigrate_analyzer::{Analysis, Input, Options, Target, analyze};
use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::replay::{Answer, ReplayStep, replay, steps};

type Outcome = Result<(), Box<dyn Error>>;

const TARGETS: [(Server, u32); 3] = [(Server::Target15, 15), (Server::Target17, 17), (Server::Target18, 18)];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A file's name and its bytes.
type File = (String, Vec<u8>);

/// The rewritten text of each file.
type Texts = Vec<Vec<u8>>;

/// The analysis of the files, and each of them rewritten.
fn rewritten(inputs: &[File], version: u32) -> Result<(Analysis, Texts), Box<dyn Error>> {
    let target = Target::default().with_version(version);
    let borrowed: Vec<Input<'_>> =
        inputs.iter().map(|(name, text)| Input { name, text: text.as_slice() }).collect();
    let analysis = analyze(&borrowed, &target, &Options::default())?;
    let texts = inputs.iter().enumerate().map(|(index, (_, text))| analysis.rewritten(index, text)).collect();
    Ok((analysis, texts))
}

/// Statements that the server refuses, with its words.
fn refused(uri: &str, dump: &[u8]) -> Result<Vec<String>, Box<dyn Error>> {
    let steps = steps(dump);
    let replies = replay(uri, &steps)?;
    let refusals = steps.iter().zip(replies).filter_map(|(step, reply)| match reply.answer {
        Answer::Ok => None,
        answer => Some(format!("{}\n{answer:?}", String::from_utf8_lossy(step.sql()))),
    });
    Ok(refusals.collect())
}

/// Rows of a query, fields joined by a bar.
fn rows(uri: &str, sql: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    runtime()?.block_on(async {
        let (client, connection) = tokio_postgres::connect(uri, NoTls).await?;
        tokio::spawn(connection);
        let rows = client.simple_query(sql).await?;
        Ok(rows
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    let fields = (0..row.len()).map(|index| row.get(index).unwrap_or("").to_owned());
                    Some(fields.collect::<Vec<_>>().join("|"))
                }
                _ => None,
            })
            .collect())
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

#[test]
fn roles_dumps_restore_without_an_error() -> Outcome {
    const TEST: &str = "roles_dumps_restore_without_an_error";
    let Some(lab) = Lab::start_or_skip(TEST, &TARGETS.map(|(server, _)| server))? else { return Ok(()) };
    let mut dumps: Vec<PathBuf> =
        ["roles15.sql", "roles17.sql"].map(|name| fixtures().join("roles").join(name)).into();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/dumps");
    if shared.exists() {
        dumps.extend(["ro15.sql", "ro18.sql", "roles17.sql"].map(|name| shared.join(name)));
    } else {
        skipped(TEST, "the dumps of ../shared are not here; those of tests/fixtures/roles were used");
    }
    for (server, version) in TARGETS {
        for dump in &dumps {
            let name = dump.display().to_string();
            let (analysis, texts) = rewritten(&[(name.clone(), fs::read(dump)?)], version)?;
            assert_eq!(analysis.unsolved().count(), 0, "{name} for {version}");
            for text in texts {
                assert_eq!(refused(lab.uri(server)?, &text)?, Vec::<String>::new(), "{name} on {version}");
            }
            // The administrator's password is the service's own, and nobody came to more than the target has.
            let over = "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolreplication OR rolbypassrls) \
                        AND rolname <> 'postgres'";
            assert_eq!(rows(lab.uri(server)?, over)?, BTreeSet::new(), "{name} on {version}");
            lab.reset(server)?;
        }
    }
    Ok(())
}

/// Owner and privileges of every object of the source, the superuser's as the administrator's. Privileges that a version
/// adds to ALL (MAINTAIN, from 17 on) are left out, and multiranges, whose owner follows the range only from 16 on.
const STATE: &str = "
WITH schemas AS (
    SELECT oid FROM pg_namespace WHERE nspname IN ('app', 'shared', 'Odd Schema', 'public')
), objects (kind, name, owner, acl, standard) AS (
    SELECT 'relation', c.oid::regclass::text, relowner, relacl,
           acldefault(CASE relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r'::\"char\" END, relowner)
    FROM pg_class c
    WHERE relnamespace IN (SELECT oid FROM schemas) AND relkind IN ('r', 'v', 'm', 'S', 'p')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'column', attrelid::regclass || '.' || attname, c.relowner, attacl, NULL
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
    WHERE attacl IS NOT NULL AND relnamespace IN (SELECT oid FROM schemas)
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, proowner, proacl, acldefault('f', proowner)
    FROM pg_proc p
    WHERE pronamespace IN (SELECT oid FROM schemas)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype IN ('e', 'i'))
    UNION ALL
    SELECT 'type', t.oid::regtype::text, typowner, typacl, acldefault('T', typowner)
    FROM pg_type t
    WHERE typnamespace IN (SELECT oid FROM schemas) AND typelem = 0 AND typrelid = 0 AND typtype <> 'm'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'schema', nspname, nspowner, nspacl, acldefault('n', nspowner)
    FROM pg_namespace WHERE oid IN (SELECT oid FROM schemas)
    UNION ALL
    SELECT 'operator', oid::regoperator::text, oprowner, NULL, NULL
    FROM pg_operator WHERE oprnamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'collation', collname, collowner, NULL, NULL FROM pg_collation WHERE collnamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'conversion', conname, conowner, NULL, NULL
    FROM pg_conversion WHERE connamespace = 'shared'::regnamespace
    UNION ALL
    SELECT 'dictionary', dictname, dictowner, NULL, NULL FROM pg_ts_dict WHERE dictnamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'configuration', cfgname, cfgowner, NULL, NULL
    FROM pg_ts_config WHERE cfgnamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'statistics', stxname, stxowner, NULL, NULL
    FROM pg_statistic_ext WHERE stxnamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'publication', pubname, pubowner, NULL, NULL FROM pg_publication
    UNION ALL
    SELECT 'large object', oid::text, lomowner, lomacl, acldefault('L', lomowner) FROM pg_largeobject_metadata
    UNION ALL
    SELECT 'default', coalesce(nspname, '') || ' ' || defaclobjtype::text, defaclrole, defaclacl, NULL
    FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
    WHERE nspname IS NULL OR nspname NOT LIKE '\\_timescaledb\\_%'
)
SELECT kind, name, replace(owner::regrole::text, 'postgres', 'tsdbadmin'),
       (SELECT string_agg(replace(replace(one::text, 'arwdDxtm/', 'arwdDxt/'), 'postgres', 'tsdbadmin'), ' '
                          ORDER BY replace(one::text, 'postgres', 'tsdbadmin'))
        FROM unnest(coalesce(acl, standard)) AS one)
FROM objects";

fn dumped(program: &Path, arguments: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(output.stdout)
}

#[test]
fn owners_and_privileges_of_the_source_survive() -> Outcome {
    const TEST: &str = "owners_and_privileges_of_the_source_survive";
    let servers = [Server::Source15, Server::Source17];
    let all: Vec<Server> = servers.into_iter().chain(TARGETS.map(|(server, _)| server)).collect();
    let Some(lab) = Lab::start_or_skip(TEST, &all)? else { return Ok(()) };
    let script = fs::read(fixtures().join("roles/source.sql"))?;
    for source in servers {
        let uri = lab.uri(source)?;
        let create = ReplayStep::Statement { sql: b"CREATE DATABASE shop".to_vec(), number: 1 };
        replay(uri, &[create])?;
        let shop =
            format!("{}/shop", uri.strip_suffix("/postgres").ok_or("the source has another database")?);
        assert_eq!(refused(&shop, &script)?, Vec::<String>::new());
        let before = rows(&shop, STATE)?;
        let roles = dumped(&lab.programs()?.join("pg_dumpall"), &["--roles-only", "-d", uri])?;
        let objects = dumped(&lab.programs()?.join("pg_dump"), &["-d", &shop])?;
        for (target, version) in TARGETS {
            let inputs = [("roles.sql".to_owned(), roles.clone()), ("shop.sql".to_owned(), objects.clone())];
            let (analysis, texts) = rewritten(&inputs, version)?;
            let left: Vec<_> = analysis.unsolved().map(|f| (f.rule.id, &f.message)).collect();
            assert!(left.is_empty(), "{source:?} to {version}: {left:?}");
            for text in &texts {
                assert_eq!(refused(lab.uri(target)?, text)?, Vec::<String>::new(), "{source:?} to {version}");
            }
            let after = rows(lab.uri(target)?, STATE)?;
            let gone: Vec<&String> = before.difference(&after).collect();
            // Up to 15 `creator` is tsdbadmin's member, so that tsdbadmin cannot be its: the report says so.
            let expected: &[&str] = if version <= 15 { &["publication|changes|creator|"] } else { &[] };
            assert_eq!(gone, expected, "{source:?} to {version}: {after:#?}");
            lab.reset(target)?;
        }
    }
    Ok(())
}
