//! Secrets in SQL and in what servers say: which bytes they are, and the same text without them.
//!
//! Everything that shows a piece of a dump or a server's answer goes through here. It hides too much rather than too
//! little; the rewritten dump itself never does.

mod names;
mod text;

pub use names::is_secret;

use std::ops::Range;

use serde::Serializer;

use crate::parse::{Token, TokenKind, Tokens};

/// What is shown in the place of a secret.
pub const MASK: &str = "'…'";

/// Texts in texts (a function's body with a DO block) are followed down to this depth.
const MAX_DEPTH: usize = 4;

/// A statement, or what is like one, without its secrets.
///
/// ```
/// use tsmigrate_analyzer::secrets;
///
/// assert_eq!(secrets::in_sql("ALTER ROLE a SET app.api_token TO 'abc';"), "ALTER ROLE a SET app.api_token TO '…';");
/// assert_eq!(secrets::in_sql("COPY t TO PROGRAM 'curl -u a:b h';"), "COPY t TO PROGRAM '…';");
/// ```
#[must_use]
pub fn in_sql(sql: &str) -> String {
    without(sql, &masks(sql, Tokens::scan(sql).as_slice()))
}

/// A message of a server or of a tool without the secrets that it quotes.
///
/// ```
/// use tsmigrate_analyzer::secrets;
///
/// let said = "invalid value for parameter \"app.api_token\": \"abc\"";
/// assert_eq!(secrets::in_text(said), "invalid value for parameter \"app.api_token\": '…'");
/// ```
#[must_use]
pub fn in_text(text: &str) -> String {
    without(text, &text::find(text))
}

/// A setting as servers list it, without its value where its name speaks of a secret: all that stands behind the sign is
/// the value, blanks too.
///
/// ```
/// use tsmigrate_analyzer::secrets;
///
/// assert_eq!(secrets::in_setting("app.api_token=a b"), "app.api_token='…'");
/// assert_eq!(secrets::in_setting("work_mem=4MB"), "work_mem=4MB");
/// ```
#[must_use]
pub fn in_setting(setting: &str) -> String {
    match setting.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
        _ => in_text(&in_sql(setting)),
    }
}

/// Options of foreign data as SQL writes them, without the values of those that are not known to be plain.
///
/// ```
/// use tsmigrate_analyzer::secrets;
///
/// assert_eq!(secrets::in_options("host 'h', wallet 'abc'"), "host 'h', wallet '…'");
/// ```
#[must_use]
pub fn in_options(options: &str) -> String {
    const BEGIN: &str = "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (";
    let hidden = in_sql(&format!("{BEGIN}{options})"));
    let inner = hidden.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(')'));
    inner.unwrap_or(MASK).to_owned()
}

/// The secrets of a statement themselves, to be found again in what a server says about it.
#[must_use]
pub fn values(sql: &str) -> Vec<String> {
    of_masks(sql, &masks(sql, Tokens::scan(sql).as_slice()))
}

/// The same where the secrets' places are known.
#[must_use]
pub fn of_masks(sql: &str, masks: &[Range<usize>]) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for mask in masks {
        let text = sql.get(mask.clone()).unwrap_or_default();
        let bare = inner(text).map_or(text, |inner| &text[inner]);
        values.push(bare.to_owned());
        values.push(bare.replace("''", "'"));
    }
    // One or two characters are part of many words, and hiding those would tell them; what the statement says in another
    // place too is no secret.
    let shown = without(sql, masks);
    values.retain(|value| value.chars().count() > 2 && !shown.contains(value.as_str()));
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.dedup();
    values
}

/// `text` without these secrets.
#[must_use]
pub fn without_values(text: &str, values: &[String]) -> String {
    values.iter().fold(
        text.to_owned(),
        |text, value| {
            if text.contains(value) { text.replace(value, "…") } else { text }
        },
    )
}

/// The places of secrets in a text that is no SQL.
#[must_use]
pub fn masks_in_text(text: &str) -> Vec<Range<usize>> {
    text::find(text)
}

/// SQL as reports for programs have it.
///
/// # Errors
/// What the serializer answers.
pub fn shown<S: Serializer>(sql: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&in_sql(sql))
}

/// The same of several statements.
pub(crate) fn all_shown<S: Serializer>(sql: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(sql.iter().map(|sql| in_sql(sql)))
}

/// The places of a statement's secrets, in order. Text without tokens, which cannot be scanned, is hidden from the first
/// word on that speaks of one.
#[must_use]
pub fn masks(sql: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // The scanner takes a backslash for an operator: psql's own commands are no SQL.
    if tokens.is_empty() || sql.trim_start().starts_with('\\') {
        found.extend(text::find(sql));
        let behind = |end: usize| sql.len() - sql.get(end..).unwrap_or_default().trim_start().len();
        let word = text::first_word(sql)
            .filter(|end| !found.iter().any(|mask| mask.start < *end && *end <= mask.end));
        found.extend(word.map(|end| behind(end)..sql.len()));
        found.extend(text::program(sql).map(|start| behind(start)..sql.len()));
    } else {
        look(sql, tokens, 0, 0, &mut found);
    }
    text::merged(found, sql.len())
}

fn without(text: &str, masks: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for mask in masks {
        out.push_str(text.get(done..mask.start).unwrap_or_default());
        out.push_str(MASK);
        done = mask.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// What a string constant holds, without its quotes: `'a'`, `E'a'`, `$x$a$x$`.
fn inner(text: &str) -> Option<Range<usize>> {
    if text.starts_with('$') {
        let tag = text.get(1..)?.find('$')? + 2;
        return (text.len() >= 2 * tag).then(|| tag..text.len() - tag);
    }
    let start = text.find('\'')? + 1;
    let end = text.rfind('\'')?;
    (start <= end).then_some(start..end)
}

/// A value that a secret's name is waiting for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Nothing is waited for.
    No,
    /// The name has come: its value may follow at once, or behind a sign.
    Named { depth: u32 },
    /// The sign has come too: constants are the value, as long as the expression goes on.
    Value { depth: u32 },
    /// All constants in the brackets that follow, or in those around, are.
    Call { depth: u32 },
}

/// What a statement's form says about the values in it.
#[derive(Clone, Copy)]
struct Form {
    /// It sets a parameter, to words or a list of them.
    sets: bool,
    /// TO may stand before a value.
    to: bool,
}

/// Adds the secrets of a list of tokens; `offset` is where `sql` stands in the whole.
fn look(sql: &str, tokens: &[Token], offset: usize, level: usize, found: &mut Vec<Range<usize>>) {
    let code: Vec<&Token> = tokens.iter().filter(|token| token.kind != TokenKind::Comment).collect();
    for comment in tokens.iter().filter(|token| token.kind == TokenKind::Comment) {
        let secrets = text::find(comment.text(sql));
        found.extend(
            secrets
                .into_iter()
                .map(|range| offset + comment.start + range.start..offset + comment.start + range.end),
        );
    }
    let mut begin = 0;
    for end in 0..=code.len() {
        // Each statement of a body by itself.
        if code.get(end).is_none_or(|token| token.text(sql) == ";") {
            statement(sql, code.get(begin..end).unwrap_or_default(), offset, level, found);
            begin = end + 1;
        }
    }
}

fn statement(sql: &str, code: &[&Token], offset: usize, level: usize, found: &mut Vec<Range<usize>>) {
    let word = |number: usize, word: &str| code.get(number).is_some_and(|token| token.is_word(sql, word));
    let has = |wanted: &str| code.iter().any(|token| token.is_word(sql, wanted));
    let form = Form { sets: word(0, "set") || word(0, "alter") && has("set"), to: has("set") };
    let foreign = has("options") && ["server", "mapping", "foreign", "wrapper"].iter().any(|word| has(word));
    let rows = word(0, "insert") && {
        let columns = code.iter().take_while(|token| !token.is_word(sql, "values"));
        columns.into_iter().any(|token| token.identifier(sql).is_some_and(|name| is_secret(&name)))
    };
    let mut wait = Wait::No;
    for (number, token) in code.iter().enumerate() {
        let previous = number.checked_sub(1).and_then(|number| code.get(number));
        let text = token.text(sql);
        wait = ended(wait, token, text, form.sets);
        if token.kind == TokenKind::String {
            let option = foreign
                && token.depth > 0
                && previous.is_some_and(|name| {
                    name.identifier(sql).is_some_and(|name| !names::is_plain_option(&name))
                })
                && !names::is_plain_value(text.trim_matches('\''));
            let after = |word: &str| previous.is_some_and(|previous| previous.is_word(sql, word));
            let secret = wait != Wait::No
                && !matches!(wait, Wait::Named { .. } if !named_before(sql, code, number))
                || rows
                || option
                || is_called_so(sql, code, number)
                || after("connection")
                || after("program");
            if secret {
                hide_constant(sql, token, offset, found);
            } else {
                wait = constant(sql, token, code.get(number + 1).copied(), offset, level, wait, found);
            }
            let goes_on = matches!(wait, Wait::Call { .. })
                || matches!(wait, Wait::Value { .. })
                    && (form.sets || code.get(number + 1).is_some_and(|next| next.text(sql) == "||"));
            if secret && !goes_on {
                wait = Wait::No;
            }
            continue;
        }
        wait = next(sql, token, text, wait, form, offset, found);
        if let Some(name) = token.identifier(sql)
            && !matches!(wait, Wait::Value { .. } | Wait::Call { .. })
        {
            let called = code.get(number + 1).is_some_and(|next| next.text(sql) == "(");
            let secret = is_secret(&name);
            let takes =
                || names::takes_secret(&name) || secret && name != "key" && !is_table(sql, code, number);
            if called && takes() {
                wait = Wait::Call { depth: token.depth + 1 };
            } else if secret {
                wait = Wait::Named { depth: token.depth };
            }
        }
    }
}

/// True for a constant that gets a secret's name as a column: `'x'::text AS api_token`.
fn is_called_so(sql: &str, code: &[&Token], number: usize) -> bool {
    /// Tokens of the longest type: `::character varying(40)[]`.
    const TYPE: usize = 12;
    let behind = code.get(number + 1..).unwrap_or_default();
    let end = behind.iter().take(TYPE).position(|token| token.is_word(sql, "as"));
    let Some((cast, name)) = end.and_then(|end| Some((behind.get(..end)?, behind.get(end + 1)?))) else {
        return false;
    };
    let is_cast = cast.first().is_none_or(|token| token.text(sql) == "::")
        && cast.iter().all(|token| !matches!(token.text(sql), "," | "||" | "AND" | "OR"));
    is_cast && name.identifier(sql).is_some_and(|name| is_secret(&name))
}

/// True where the name that ends with this token is a relation's: what stands in brackets behind it are columns.
fn is_table(sql: &str, code: &[&Token], number: usize) -> bool {
    let mut first = number;
    while first >= 2 && code.get(first - 1).is_some_and(|token| token.text(sql) == ".") {
        first -= 2;
    }
    let words =
        ["table", "into", "on", "only", "exists", "references", "from", "join", "update", "copy", "view"];
    let before = first.checked_sub(1).and_then(|before| code.get(before));
    before.is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)))
}

/// What is still waited for at this token.
fn ended(wait: Wait, token: &Token, text: &str, sets: bool) -> Wait {
    let over = match wait {
        Wait::No => false,
        // SET takes a list.
        Wait::Value { depth: 0 } if sets => false,
        Wait::Named { depth } | Wait::Value { depth } => {
            token.depth < depth || token.depth == depth && text == ","
        }
        Wait::Call { depth } => token.depth + 1 < depth || text == ")" && token.depth + 1 == depth,
    };
    if over { Wait::No } else { wait }
}

/// What is waited for behind a token that is no string.
fn next(
    sql: &str,
    token: &Token,
    text: &str,
    wait: Wait,
    form: Form,
    offset: usize,
    found: &mut Vec<Range<usize>>,
) -> Wait {
    match wait {
        Wait::Named { depth } => match text {
            "=" | ":=" | "=>" | "==" => Wait::Value { depth },
            // Without SET it is an owner, a grantee or a new name that follows.
            _ if form.to && token.is_word(sql, "to") || token.is_word(sql, "default") => {
                Wait::Value { depth }
            }
            "." | "(" | ")" | "[" | "]" | "::" => wait,
            _ if token.kind == TokenKind::Other && !text.starts_with(|c: char| c.is_ascii_digit()) => {
                Wait::No
            }
            _ => wait,
        },
        Wait::Value { .. } => {
            let number = token.kind == TokenKind::Other && text.starts_with(|c: char| c.is_ascii_digit());
            let word = token.identifier(sql).is_some_and(|word| {
                // In the bodies of other languages these are strings.
                text.starts_with('"') || form.sets && token.depth == 0 && !names::is_plain_value(&word)
            });
            if number || word {
                found.push(offset + token.start..offset + token.end);
            } else if ["and", "or", "then", "loop", "where", "check", "not", "current_setting", "nextval"]
                .iter()
                .any(|word| token.is_word(sql, word))
            {
                return Wait::No;
            }
            wait
        }
        Wait::No | Wait::Call { .. } => wait,
    }
}

/// True where the token before this one is the secret's name itself.
fn named_before(sql: &str, code: &[&Token], number: usize) -> bool {
    let previous = number.checked_sub(1).and_then(|number| code.get(number));
    previous.is_some_and(|token| token.identifier(sql).is_some_and(|name| is_secret(&name)))
}

fn hide_constant(sql: &str, token: &Token, offset: usize, found: &mut Vec<Range<usize>>) {
    let text = token.text(sql);
    let Some(inner) = inner(text) else { return };
    if inner.is_empty() {
        return;
    }
    // Where backslashes escape, this is not its end, and what follows is a part of it.
    let open = text.starts_with('\'') && text.get(inner).is_some_and(|inner| inner.ends_with('\\'));
    found.push(offset + token.start..offset + if open { sql.len() } else { token.end });
}

/// A string constant that is no secret by its place: what it says may be one, or speak of one that follows.
fn constant(
    sql: &str,
    token: &Token,
    next: Option<&Token>,
    offset: usize,
    level: usize,
    wait: Wait,
    found: &mut Vec<Range<usize>>,
) -> Wait {
    let text = token.text(sql);
    let Some(range) = inner(text) else { return wait };
    let content = text.get(range.clone()).unwrap_or_default();
    if text.starts_with('$') && level < MAX_DEPTH {
        let at = offset + token.start + range.start;
        let tokens = Tokens::scan(content);
        if tokens.as_slice().is_empty() {
            if !content.trim().is_empty() && !text::find(content).is_empty() {
                hide_constant(sql, token, offset, found);
            }
        } else {
            look(content, tokens.as_slice(), at, level + 1, found);
        }
        return wait;
    }
    if !text::find(content).is_empty() {
        hide_constant(sql, token, offset, found);
        return wait;
    }
    match next.map(|next| next.text(sql)) {
        Some(",") if text::speaks(content) => Wait::Call { depth: token.depth.max(1) },
        Some("||") if text::ends_with_name(content) => Wait::Value { depth: token.depth },
        _ => wait,
    }
}

#[cfg(test)]
mod tests;
