//! Lines of a tool's output that ended up in the file, by redirecting both streams or by a terminal.

/// Words no SQL statement can begin with, since a colon follows them.
const BEGINNINGS: [&str; 11] = [
    "pg_dump: ",
    "pg_dumpall: ",
    "pg_restore: ",
    "psql:",
    "WARNING:  ",
    "NOTICE:  ",
    "ERROR:  ",
    "FATAL:  ",
    "LOG:  ",
    "INFO:  ",
    "DEBUG:  ",
];

/// Lines that go with the message above them.
const CONTINUATIONS: [&str; 6] =
    ["DETAIL:  ", "HINT:  ", "CONTEXT:  ", "QUERY:  ", "STATEMENT:  ", "LOCATION:  "];

/// Whether a line is noise, judged by its first bytes; `None` where more of them are needed.
pub(super) fn is_noise(line: &[u8], whole: bool, after_noise: bool) -> Option<bool> {
    let mut undecided = false;
    let continuations = if after_noise { &CONTINUATIONS[..] } else { &[] };
    for beginning in BEGINNINGS.iter().chain(continuations) {
        if line.starts_with(beginning.as_bytes()) {
            return Some(true);
        }
        undecided |= !whole && beginning.as_bytes().starts_with(line);
    }
    (!undecided).then_some(false)
}
