//! A dump of the schema alone of a TimescaleDB source: the rewritten schema and the script that comes with it make the
//! same hypertables on the locked-down target.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tsmigrate_analyzer::{Analysis, Input, Options, Style, Target, analyze};
use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::program::run_with;

type Outcome = Result<(), Box<dyn Error>>;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hypertables");

/// What both sides have to agree in, in the Apache edition too.
const HYPERTABLES: &str = "
SELECT format('%s.%s %s %s %s %s %s %s %s %s', hypertable_schema, hypertable_name, dimension_number, column_name, column_type,
    dimension_type, time_interval, integer_interval, integer_now_func, num_partitions)
  FROM timescaledb_information.dimensions WHERE hypertable_schema NOT LIKE '\\_timescaledb%' ORDER BY 1;
SELECT format('%s %s %s', d.column_name, d.partitioning_func_schema, d.partitioning_func)
  FROM _timescaledb_catalog.dimension d WHERE d.partitioning_func_schema = 'app' ORDER BY 1;
SELECT c.oid::regclass || ' ' || pg_get_indexdef(i.indexrelid) FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
  WHERE c.relnamespace = 'app'::regnamespace ORDER BY 1;
SELECT format('%s %s', tgrelid::regclass, tgname) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
  WHERE c.relnamespace = 'app'::regnamespace AND NOT tgisinternal AND tgname NOT LIKE 'ts\\_%' ORDER BY 1;
SELECT count(*) FROM pg_class WHERE relname LIKE '\\_hyper\\_%' AND NOT EXISTS
  (SELECT FROM _timescaledb_catalog.hypertable);";

/// What they have to agree in where the community edition is on both sides.
const COMMUNITY: &str = "
SELECT format('%s.%s %s %s %s %s %s %s', hypertable_schema, hypertable_name, attname, segmentby_column_index,
    orderby_column_index, orderby_asc, orderby_nullsfirst, '')
  FROM timescaledb_information.compression_settings ORDER BY 1;
SELECT format('%s.%s %s %s %s %s', view_schema, view_name, materialized_only, compression_enabled, finalized,
    regexp_replace(view_definition, '_\\d+', '_N', 'g'))
  FROM timescaledb_information.continuous_aggregates ORDER BY 1;
SELECT a.view_name || ' ' || d.interval_length FROM timescaledb_information.continuous_aggregates a
  JOIN _timescaledb_catalog.hypertable h ON h.table_name = a.materialization_hypertable_name
  JOIN _timescaledb_catalog.dimension d ON d.hypertable_id = h.id ORDER BY 1;
SELECT a.view_name || ' ' || regexp_replace(pg_get_indexdef(i.indexrelid), '_\\d+', '_N', 'g')
  FROM timescaledb_information.continuous_aggregates a
  JOIN pg_class c ON c.relname = a.materialization_hypertable_name JOIN pg_index i ON i.indrelid = c.oid ORDER BY 1;
SELECT c.oid::regclass || ' ' || coalesce(obj_description(c.oid), '') || ' ' || (has_table_privilege('ht_reader', c.oid, 'SELECT'))
  || ' ' || pg_get_viewdef(c.oid) FROM pg_class c WHERE relnamespace = 'app'::regnamespace AND relkind = 'v'
  AND relname NOT IN (SELECT view_name FROM timescaledb_information.continuous_aggregates) ORDER BY 1;
SELECT view_name || ' ' || has_table_privilege('ht_reader', format('%I.%I', view_schema, view_name), 'SELECT')
  || ' ' || coalesce(obj_description(format('%I.%I', view_schema, view_name)::regclass), '')
  FROM timescaledb_information.continuous_aggregates ORDER BY 1;";

struct Stage {
    lab: Lab,
    source: String,
    target: String,
}

impl Stage {
    fn new(test: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(lab) = Lab::start_or_skip(test, &[Server::Source17, Server::Target17])? else {
            return Ok(None);
        };
        let server = lab.uri(Server::Source17)?;
        let source = format!("{}/shop", server.rsplit_once('/').ok_or("no database in the URI")?.0);
        let stage = Self { source, target: lab.uri(Server::Target17)?.to_owned(), lab };
        stage.psql(stage.lab.uri(Server::Source17)?, b"CREATE DATABASE shop;")?;
        Ok(Some(stage))
    }

    fn psql(&self, uri: &str, sql: &[u8]) -> Result<String, Box<dyn Error>> {
        let mut command = Command::new(self.lab.programs()?.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri, "-f", "-"]);
        let output = run_with(&mut command, sql)?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn fixture(&self, name: &str) -> Outcome {
        self.psql(&self.source, &fs::read(Path::new(FIXTURES).join(name))?)?;
        Ok(())
    }

    fn dump(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
        let output = Command::new(self.lab.programs()?.join(program))
            .args(arguments)
            .args(["-d", &self.source])
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(output.stdout)
    }

    /// True where source and target run the community edition.
    fn is_community(&self) -> Result<bool, Box<dyn Error>> {
        let ask = b"SELECT current_setting('timescaledb.license', true);";
        let at = |uri: &str| Ok::<_, Box<dyn Error>>(self.psql(uri, ask)?.trim() == "timescale");
        Ok(at(&self.source)? && at(&self.target)?)
    }

    /// The answers of both sides to the same questions.
    fn compare(&self, questions: &str) -> Outcome {
        for question in questions.split_inclusive(';') {
            let ask = format!("SET search_path = public, pg_catalog; {question}");
            let (source, target) =
                (self.psql(&self.source, ask.as_bytes())?, self.psql(&self.target, ask.as_bytes())?);
            assert_eq!(source, target, "{question}");
        }
        Ok(())
    }
}

/// Roles and schema together, each rewritten.
fn analysed(roles: &[u8], schema: &[u8]) -> Result<Analysis, Box<dyn Error>> {
    let inputs = [Input { name: "roles.sql", text: roles }, Input { name: "schema.sql", text: schema }];
    Ok(analyze(&inputs, &Target::default(), &Options::default())?)
}

fn rewritten(analysis: &Analysis, index: usize, text: &[u8]) -> Vec<u8> {
    let mut rewriter = analysis.rewriter(index, Style::Comment);
    let mut out = Vec::new();
    rewriter.feed(text, &mut out);
    rewriter.finish(&mut out);
    out
}

/// Moves the schema of the source to the target, and gives the script that did the rest.
fn restore(stage: &Stage) -> Result<String, Box<dyn Error>> {
    let roles = stage.dump("pg_dumpall", &["--roles-only", "--no-role-passwords"])?;
    let schema = stage.dump("pg_dump", &["--schema-only"])?;
    let analysis = analysed(&roles, &schema)?;
    let unsolved: Vec<_> = analysis.unsolved().map(|finding| &finding.message).collect();
    assert!(unsolved.is_empty(), "{unsolved:#?}");
    let script =
        analysis.scripts.iter().find(|script| script.file == "hypertables.sql").ok_or("no script")?;
    stage.psql(&stage.target, &rewritten(&analysis, 0, &roles))?;
    stage.psql(&stage.target, &rewritten(&analysis, 1, &schema))?;
    let before = stage.psql(&stage.target, b"SELECT count(*) FROM _timescaledb_catalog.hypertable;")?;
    assert_eq!(before.trim(), "0");
    stage.psql(&stage.target, script.sql.as_bytes())?;
    Ok(script.sql.clone())
}

#[test]
fn hypertables_of_a_schema_only_dump_come_back_with_their_dimensions_and_intervals() -> Outcome {
    let test = "hypertables_of_a_schema_only_dump_come_back_with_their_dimensions_and_intervals";
    let Some(stage) = Stage::new(test)? else { return Ok(()) };
    stage.fixture("apache.sql")?;
    restore(&stage)?;
    stage.compare(HYPERTABLES)?;
    // Rows find their chunks.
    let rows = b"INSERT INTO app.devices VALUES (1, 'one'); INSERT INTO app.metrics VALUES (now(), 1, 2);
        INSERT INTO app.events VALUES (now(), 'a', 1); INSERT INTO app.logs VALUES (now(), 'a', 3, 'l');
        SELECT count(*) FROM timescaledb_information.chunks;";
    assert_eq!(stage.psql(&stage.target, rows)?.trim(), "3");
    Ok(())
}

#[test]
fn compression_and_continuous_aggregates_come_back_too() -> Outcome {
    let test = "compression_and_continuous_aggregates_come_back_too";
    let Some(stage) = Stage::new(test)? else { return Ok(()) };
    stage.fixture("apache.sql")?;
    if !stage.is_community()? {
        skipped(test, "the lab has TimescaleDB's Apache edition");
        return Ok(());
    }
    stage.fixture("community.sql")?;
    let script = restore(&stage)?;
    stage.compare(HYPERTABLES)?;
    stage.compare(COMMUNITY)?;
    assert!(script.contains("timescaledb_information.jobs"), "policies are named: {script}");
    Ok(())
}
