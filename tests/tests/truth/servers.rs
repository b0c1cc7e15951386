//! The servers that judge, and what they answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tsmigrate_analyzer::Target;
use tsmigrate_analyzer::target::ExtensionList;
use tsmigrate_tests::lab::{Lab, Server};
use tsmigrate_tests::replay::{Answer, Reply, replay, steps};
use tsmigrate_tests::sent::Sent;

use crate::Failure;

pub(crate) const TARGETS: [(Server, u32); 3] =
    [(Server::Target15, 15), (Server::Target17, 17), (Server::Target18, 18)];

/// What a server tells of its extensions: asked in the only way that a replay can answer.
fn told(uri: &str, query: &str) -> Result<Vec<String>, Failure> {
    let ask = format!(
        "DO $$ DECLARE line text; BEGIN FOR line IN {query} LOOP RAISE NOTICE '%', line; END LOOP; END $$;"
    );
    let replies = replay(uri, &steps(ask.as_bytes()))?;
    if let Some(Answer::Refused(message)) = replies.first().map(|reply| &reply.answer) {
        return Err(format!("{query}: {message:?}").into());
    }
    Ok(replies.iter().flat_map(|reply| &reply.notices).map(|notice| notice.message.clone()).collect())
}

/// The service with the extensions of this server in place of its own.
pub(crate) fn as_the_server(service: &Target, uri: &str) -> Result<Target, Failure> {
    let listed = "SELECT unnest(string_to_array(current_setting('extwlist.extensions'), ','))";
    let live = "SELECT extname || ' ' || extnamespace::regnamespace FROM pg_extension";
    let list = ExtensionList {
        name: "lab".into(),
        date: "2026-01-01".into(),
        source: "the lab's server".into(),
        extensions: told(uri, listed)?.into_iter().collect(),
    };
    let live = told(uri, live)?;
    let live = live.iter().filter_map(|line| line.split_once(' '));
    Ok(Target {
        extension_lists: vec![list],
        packaged_extensions: told(uri, "SELECT name FROM pg_available_extensions")?.into_iter().collect(),
        live_extensions: Some(live.map(|(name, schema)| (name.to_owned(), schema.to_owned())).collect()),
        ..service.clone()
    })
}

/// The servers are started once; the tests take turns at them.
static LAB: Mutex<Option<Lab>> = Mutex::new(None);

/// The lab, or nothing where it says that the test is skipped.
pub(crate) fn lab(test: &str) -> Result<MutexGuard<'static, Option<Lab>>, Failure> {
    let mut lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    if lab.is_none() {
        *lab = Lab::start_or_skip(test, &TARGETS.map(|(server, _)| server))?;
    }
    Ok(lab)
}

/// Replays statements and gives the answers by the statements' numbers.
pub(crate) fn answers<'a>(uri: &str, statements: &[&'a Sent]) -> Result<Vec<(&'a Sent, Reply)>, Failure> {
    let sent: Vec<_> = statements.iter().map(|sent| sent.step.clone()).collect();
    Ok(statements.iter().copied().zip(replay(uri, &sent)?).collect())
}
