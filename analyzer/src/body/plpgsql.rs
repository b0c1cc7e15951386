//! A body in PL/pgSQL as the SQL in it. Read by its tokens, as PL/pgSQL's own parser reads it: a statement's first word
//! says what follows, and SQL goes on up to a word or a semicolon outside of brackets (PostgreSQL
//! src/pl/plpgsql/src/pl_gram.y, `read_sql_construct`). No recursion, and one look at each token.

use crate::parse::{Token, TokenKind, Tokens};

use std::ops::Range;

/// What a piece of SQL in a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A statement, or a query that a loop, a cursor or RETURN QUERY reads.
    Statement,
    /// PERFORM: a query whose first word is another.
    Perform,
    /// An expression, or several with commas.
    Expression,
    /// The text that EXECUTE runs.
    Dynamic,
    /// The type of a variable.
    Type,
}

/// A piece of SQL in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Its bytes in the body.
    pub(super) range: Range<usize>,
    /// What it is.
    pub(super) kind: Kind,
    /// `INTO variable`, which is PL/pgSQL's and no SQL.
    pub(super) into: Option<Range<usize>>,
    /// It may not be reached: in a branch, a loop, a block that handles exceptions, or behind a RETURN.
    pub(super) conditional: bool,
}

/// Deeper nesting of blocks, branches and loops is not looked into.
const MAX_NESTING: usize = 1_000;

/// All SQL in a body, in order.
pub(super) fn fragments(sql: &str) -> Vec<Fragment> {
    let tokens = Tokens::scan(sql);
    let tokens: Vec<Token> =
        tokens.iter().filter(|token| token.kind != TokenKind::Comment).copied().collect();
    let mut reader = Reader { sql, tokens: &tokens, at: 0, open: Vec::new(), found: Vec::new(), left: false };
    while reader.at < reader.tokens.len() && reader.open.len() <= MAX_NESTING {
        let before = reader.at;
        reader.statement();
        // Whatever stands there: the next token is another one.
        reader.at = reader.at.max(before + 1);
    }
    reader.found
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// BEGIN, with the number of fragments before it, and whether its handlers have begun.
    Block { first: usize, handles: bool },
    /// IF, CASE or a loop.
    Branch,
}

struct Reader<'a> {
    sql: &'a str,
    tokens: &'a [Token],
    at: usize,
    open: Vec<Open>,
    found: Vec<Fragment>,
    /// A RETURN, EXIT or RAISE has gone by.
    left: bool,
}

impl Reader<'_> {
    fn text(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| token.text(self.sql))
    }

    fn is(&self, index: usize, word: &str) -> bool {
        self.tokens.get(index).is_some_and(|token| token.is_word(self.sql, word))
    }

    fn any(&self, index: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(index, word))
    }

    /// The first token from here on, outside of brackets that open here, that is one of these words or a semicolon.
    fn until(&self, words: &[&str]) -> usize {
        self.until_from(self.at, words)
    }

    fn until_from(&self, from: usize, words: &[&str]) -> usize {
        let Some(base) = self.tokens.get(from).map(|token| token.depth) else { return from };
        let rest = self.tokens.get(from..).unwrap_or_default();
        let ends = |token: &Token| {
            token.depth <= base
                && (token.text(self.sql) == ";"
                    || words
                        .iter()
                        .any(|word| token.text(self.sql) == *word || token.is_word(self.sql, word)))
        };
        rest.iter().position(ends).map_or(self.tokens.len(), |count| from + count)
    }

    /// Adds the SQL of these tokens.
    fn add(&mut self, kind: Kind, tokens: Range<usize>) {
        let Some((first, last)) = self.tokens.get(tokens.clone()).and_then(|t| t.first().zip(t.last()))
        else {
            return;
        };
        // A variable or constant by itself.
        if kind == Kind::Expression && tokens.len() == 1 {
            return;
        }
        let into = (kind == Kind::Statement).then(|| self.variables(tokens)).flatten();
        let branch = |open: &Open| matches!(open, Open::Branch | Open::Block { handles: true, .. });
        let conditional = self.left || self.open.iter().any(branch);
        self.found.push(Fragment { range: first.start..last.end, kind, into, conditional });
    }

    /// `INTO [STRICT] variable, …` of a statement.
    fn variables(&self, tokens: Range<usize>) -> Option<Range<usize>> {
        if self.is(tokens.start, "IMPORT") {
            return None;
        }
        let from = tokens
            .clone()
            .skip(1)
            .find(|&at| self.is(at, "INTO") && !self.any(at - 1, &["INSERT", "MERGE"]))?;
        let mut at = if self.is(from + 1, "STRICT") { from + 2 } else { from + 1 };
        loop {
            at += 1;
            while self.text(at) == "." && at + 1 < tokens.end {
                at += 2;
            }
            if self.text(at) != "," || at + 1 >= tokens.end {
                break;
            }
            at += 1;
        }
        let last = self.tokens.get(at.min(tokens.end).checked_sub(1)?)?;
        Some(self.tokens.get(from)?.start..last.end.max(self.tokens.get(from)?.end))
    }

    /// Reads SQL from here to one of these words or a semicolon, and stands there.
    fn read(&mut self, kind: Kind, words: &[&str]) {
        let end = self.until(words);
        self.add(kind, self.at..end);
        self.at = end;
    }

    /// Stands behind the next semicolon.
    fn end(&mut self) {
        self.at = self.until(&[]) + 1;
    }

    fn statement(&mut self) {
        let at = self.at;
        if self.text(at) == "<<" {
            self.at = self.until(&[">>"]) + 1;
            return;
        }
        if let Some(value) = self.assignment() {
            self.at = value;
            self.read(Kind::Expression, &[]);
            return self.end();
        }
        let word = self.text(at).to_ascii_uppercase();
        match word.as_str() {
            ";" | "ELSE" => self.at += 1,
            "DECLARE" => self.declarations(),
            "BEGIN" => {
                self.open.push(Open::Block { first: self.found.len(), handles: false });
                self.at += 1;
            }
            "EXCEPTION" => {
                if let Some(Open::Block { handles, .. }) = self.open.last_mut() {
                    *handles = true;
                }
                self.at += 1;
            }
            "END" => {
                if let Some(Open::Block { first, handles: true }) = self.open.pop() {
                    self.found.iter_mut().skip(first).for_each(|fragment| fragment.conditional = true);
                }
                self.end();
            }
            "IF" | "ELSIF" | "ELSEIF" => {
                self.at += 1;
                self.read(Kind::Expression, &["THEN"]);
                self.at += 1;
                if word == "IF" {
                    self.open.push(Open::Branch);
                }
            }
            "CASE" => {
                self.at += 1;
                self.read(Kind::Expression, &["WHEN"]);
                self.open.push(Open::Branch);
            }
            "WHEN" => {
                self.at += 1;
                // Of a handler: names of conditions.
                if matches!(self.open.last(), Some(Open::Block { .. })) {
                    self.at = self.until(&["THEN"]);
                } else {
                    self.read(Kind::Expression, &["THEN"]);
                }
                self.at += 1;
            }
            "LOOP" => {
                self.open.push(Open::Branch);
                self.at += 1;
            }
            "WHILE" => {
                self.at += 1;
                self.read(Kind::Expression, &["LOOP"]);
            }
            "FOREACH" => {
                self.at = self.until(&["ARRAY"]) + 1;
                self.read(Kind::Expression, &["LOOP"]);
            }
            "FOR" => self.for_loop(),
            "EXIT" | "CONTINUE" => {
                self.at = self.until(&["WHEN"]) + 1;
                if self.is(self.at - 1, "WHEN") {
                    self.read(Kind::Expression, &[]);
                    self.at += 1;
                }
                self.left = true;
            }
            "RETURN" => self.returns(),
            "RAISE" => self.raise(),
            "ASSERT" => {
                self.at += 1;
                self.read(Kind::Expression, &[]);
            }
            "NULL" | "FETCH" | "MOVE" | "CLOSE" | "GET" => self.end(),
            "OPEN" => {
                self.at = self.until(&["FOR"]) + 1;
                if self.is(self.at - 1, "FOR") {
                    self.query();
                }
            }
            "PERFORM" => {
                self.read(Kind::Perform, &[]);
                self.end();
            }
            "EXECUTE" => self.query(),
            _ => {
                self.read(Kind::Statement, &[]);
                self.end();
            }
        }
    }

    /// `variable := `, `record.field = `, `array[1] := `: where the value begins.
    fn assignment(&self) -> Option<usize> {
        let first = self.tokens.get(self.at)?;
        first.identifier(self.sql)?;
        let mut at = self.at + 1;
        loop {
            match self.text(at) {
                ":=" | "=" => return Some(at + 1),
                "." => at += 2,
                "[" => {
                    let rest = self.tokens.get(at + 1..)?;
                    let closes = |t: &Token| t.depth <= first.depth && t.text(self.sql) == "]";
                    at += rest.iter().position(closes)? + 2;
                }
                _ => return None,
            }
        }
    }

    /// A query, or `EXECUTE text [USING …]`, up to LOOP or a semicolon.
    fn query(&mut self) {
        if !self.is(self.at, "EXECUTE") {
            return self.read(Kind::Statement, &["LOOP"]);
        }
        self.at += 1;
        self.read(Kind::Dynamic, &["INTO", "USING", "LOOP"]);
        while self.any(self.at, &["INTO", "USING"]) {
            let values = self.is(self.at, "USING");
            self.at += 1;
            if values {
                self.read(Kind::Expression, &["INTO", "LOOP"]);
            } else {
                self.at = self.until(&["USING", "LOOP"]);
            }
        }
    }

    fn for_loop(&mut self) {
        self.at = self.until(&["IN"]) + 1;
        if self.is(self.at, "REVERSE") {
            self.at += 1;
        }
        let range = self.until(&["..", "LOOP"]);
        if self.text(range) != ".." {
            return self.query();
        }
        self.add(Kind::Expression, self.at..range);
        self.at = range + 1;
        self.read(Kind::Expression, &["BY", "LOOP"]);
        if self.is(self.at, "BY") {
            self.at += 1;
            self.read(Kind::Expression, &["LOOP"]);
        }
    }

    fn returns(&mut self) {
        self.at += 1;
        if self.is(self.at, "NEXT") {
            self.at += 1;
            self.read(Kind::Expression, &[]);
        } else if self.is(self.at, "QUERY") {
            self.at += 1;
            self.query();
        } else {
            self.read(Kind::Expression, &[]);
            self.left = true;
        }
    }

    fn raise(&mut self) {
        self.at += 1;
        let mild = self.any(self.at, &["DEBUG", "LOG", "INFO", "NOTICE", "WARNING"]);
        let end = self.until(&[]);
        let values = self.until(&[",", "USING"]);
        if self.text(values) == "," {
            self.at = values + 1;
            self.read(Kind::Expression, &["USING"]);
        } else {
            self.at = values;
        }
        while self.at < end {
            // `option = value, …`
            self.at = self.until(&["=", ":="]) + 1;
            self.read(Kind::Expression, &[","]);
        }
        self.left |= !mild;
    }

    fn declarations(&mut self) {
        self.at += 1;
        while self.at < self.tokens.len() && !self.is(self.at, "BEGIN") {
            if self.is(self.at, "DECLARE") {
                self.at += 1;
                continue;
            }
            // A name, and what it is.
            self.at += 1;
            let end = self.until(&[]);
            if self.is(self.at, "CONSTANT") {
                self.at += 1;
            }
            let cursor = self.until(&["CURSOR"]);
            if self.is(self.at, "ALIAS") {
            } else if cursor <= self.at + 2 && self.is(cursor, "CURSOR") {
                self.at = self.until_from(cursor, &["FOR", "IS"]) + 1;
                if self.at < end {
                    self.read(Kind::Statement, &[]);
                }
            } else {
                let stop = self.until(&["DEFAULT", ":=", "=", "NOT", "COLLATE"]);
                self.data_type(self.at..stop);
                self.at = stop;
                let value = self.until(&["DEFAULT", ":=", "="]);
                if value < end {
                    self.at = value + 1;
                    self.read(Kind::Expression, &[]);
                }
            }
            self.at = end + 1;
        }
    }

    /// `type`, `table%ROWTYPE`, `table.column%TYPE`.
    fn data_type(&mut self, tokens: Range<usize>) {
        let percent = tokens.clone().find(|&at| self.text(at) == "%");
        let end = match percent {
            Some(at) if self.is(at + 1, "ROWTYPE") => at,
            Some(at) => at.saturating_sub(2),
            None => tokens.end,
        };
        if end > tokens.start {
            self.add(Kind::Type, tokens.start..end);
        }
    }
}

#[cfg(test)]
mod tests;
