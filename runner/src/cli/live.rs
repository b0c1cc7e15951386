//! Live databases for `tsmigrate check`: their roles and schema as dumps, and what only a server knows.

use std::path::Path;

use tsmigrate::analysis::{pair, seen};
use tsmigrate::connect::{Connector, Side, pooler};
use tsmigrate::error::{Error, Unreachable};
use tsmigrate::inspect::{self, Facts};
use tsmigrate::migrate::unchecked;
use tsmigrate::tools::{self, Tools};
use tsmigrate::{live, watch};
use tsmigrate_analyzer::rule::About;
use tsmigrate_analyzer::server::Server;
use tsmigrate_analyzer::{Analysis, Analyzer, Options, Target};

use super::failure::Failure;
use super::fit;
use super::terminal::note;

/// What the dumps are called.
const ROLES: &str = "pg_dumpall --roles-only";
const SCHEMA: &str = "pg_dump --schema-only";

/// A live database, looked at.
pub(super) struct Source {
    server: Server,
    roles: Vec<u8>,
    /// `None` where the user may not dump it: a finding says why.
    schema: Option<Vec<u8>>,
    hypertables: Vec<(String, String)>,
    chunks: Vec<(String, String)>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Some(Unreachable { what, cause, next }) = error.unreachable() {
            return Self { cause: Some(cause), ..Self::new(what).next(next.join("\n        ")) };
        }
        match error {
            Error::Tool { what, next } => Self::new(what).next(next),
            Error::Pooler(found) => Self::new(found.what).next(found.next.join("\n        ")),
            // Each below the one before.
            Error::Refused { what, next } => Self::new(what).next(next.join("\n        ")),
            error => Self::new(error.to_string()),
        }
    }
}

fn connector(side: Side, uri: &str) -> Result<Connector, Failure> {
    let connector = Connector::new(side, uri)?;
    connector.endpoint().warnings().iter().for_each(|warning| note(warning));
    Ok(connector)
}

/// Runs what needs a server's answers.
fn wait<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    Ok(runtime.block_on(work)?)
}

/// A live target, and what it has.
pub(super) type Asked = (Connector, Facts);

/// The destination as it is described, corrected by what the server itself says.
pub(super) fn target(described: Target, uri: &str) -> Result<(Target, Asked), Failure> {
    let connector = connector(Side::Target, uri)?;
    let (facts, locale) = wait(live::target(&connector))?;
    let mut target = seen(described, &facts);
    target.live_locale = Some(locale);
    target.live_versions = Some(live::versions(&facts));
    Ok((target, (connector, facts)))
}

/// How often a source is looked at again where another session had a table for itself and has ended since.
const TRIES: u32 = 3;

/// Looks at a source, and at a live target beside it. Its dumps are written by the tools that fit it and the target.
pub(super) fn source(
    uri: &str,
    pg_bin: Option<&Path>,
    target: &Target,
    asked: Option<&Asked>,
) -> Result<Source, Failure> {
    let connector = connector(Side::Source, uri)?;
    wait(async {
        let mut tries = 0;
        loop {
            let error = match look(&connector, pg_bin, target, asked).await {
                Err(error) => watch::explain(error, &connector).await,
                found => return found,
            };
            tries += 1;
            if tries > TRIES || !watch::is_over(&error) {
                return Err(error);
            }
        }
    })
}

async fn look(
    connector: &Connector,
    pg_bin: Option<&Path>,
    target: &Target,
    asked: Option<&Asked>,
) -> Result<Source, Error> {
    let session = live::open(connector).await?;
    let facts = inspect::inspect(&session, Side::Source).await?;
    let found = tools::find(pg_bin, facts.major(), target.version).await?;
    let Some(tools) = tools::choose(&found, facts.major(), target.version) else {
        return Err(tools::missing(&found, &facts, target.version).await);
    };
    let endpoint = connector.endpoint();
    // A role or a timeout that everybody is given would end pg_dump; a pooler refuses the settings that prevent it.
    if matches!(pooler::find(connector).await, Ok(None)) {
        endpoint.pin();
    }
    let name = format!("postgres://{}", endpoint.place());
    let mut server = live::survey(&session, &facts, name).await;
    match unchecked::find(connector, |_| true).await {
        Ok(broken) => server.states.extend(broken),
        Err(error) => server.unanswered.push(format!("rows that break keys ({error})")),
    }
    if let Some((connector, of_target)) = asked {
        server.in_the_way = fit::look(&session, &facts, (connector, of_target)).await?;
    }
    // Nothing here needs a password.
    let database = &tools::database(endpoint.database());
    let roles = ["--roles-only", "--no-role-passwords", "--database", database];
    let roles = tools.output("pg_dumpall", endpoint, &roles).await?;
    let schema = dump(tools, connector, &mut server).await?;
    let timescale = facts.timescale.unwrap_or_default();
    let hypertables = timescale.hypertables.iter().map(pair).collect();
    let chunks = timescale.chunks.iter().map(pair).collect();
    Ok(Source { server, roles, schema, hypertables, chunks })
}

async fn dump(tools: &Tools, connector: &Connector, server: &mut Server) -> Result<Option<Vec<u8>>, Error> {
    let arguments = ["--schema-only", "--encoding=UTF8", "--lock-wait-timeout=10s"];
    match tools.output("pg_dump", connector.endpoint(), &arguments).await {
        Ok(schema) => Ok(Some(schema)),
        // A finding says so, and the rest of the report is of use all the same.
        Err(Error::ToolFailed { output, .. })
            if !server.unreadable.is_empty() && output.contains("permission denied") =>
        {
            let said = output.lines().find(|line| line.contains("permission denied")).unwrap_or_default();
            server.unanswered.push(format!("the schema ({})", said.trim()));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Analyses a source.
pub(super) fn analyse(source: &Source, target: &Target, options: &mut Options) -> Result<Analysis, Failure> {
    options.hypertables.extend(source.hypertables.iter().cloned());
    options.chunks.extend(source.chunks.iter().cloned());
    // What is said holds for a migration, which is what follows.
    options.catalogs_follow = true;
    let mut analyzer = Analyzer::new(target, options);
    analyzer.server(&source.server);
    for (name, text) in [(ROLES, Some(&source.roles)), (SCHEMA, source.schema.as_ref())] {
        let Some(text) = text else { continue };
        analyzer.begin(name);
        let read = analyzer.feed(text).and_then(|()| analyzer.end());
        read.map_err(|error| {
            Failure::new(format!("the dump cannot be analysed: {}", error.problem.what())).at(name)
        })?;
    }
    let mut analysis = analyzer.finish();
    // Nobody has written a file here, and passwords were not read.
    analysis.findings.retain(|finding| !matches!(finding.rule.about, About::Psql | About::File));
    Ok(analysis)
}
