//! A body in PL/pgSQL as the SQL in it. Read by its tokens, as PL/pgSQL's own parser reads it: a statement's first word
//! says what follows, and SQL goes on up to a word or a semicolon outside of brackets (PostgreSQL
//! src/pl/plpgsql/src/pl_gram.y, `read_sql_construct`). No recursion, and one look at each token.

use std::ops::Range;

use crate::parse::{Token, TokenKind, Tokens};

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
mod tests {
    use super::*;

    fn found(body: &str) -> Vec<(Kind, String, bool)> {
        fragments(body)
            .into_iter()
            .map(|f| {
                let mut text = body[f.range.clone()].to_owned();
                if let Some(into) = f.into {
                    text.replace_range(into.start - f.range.start..into.end - f.range.start, "§");
                }
                (f.kind, text, f.conditional)
            })
            .collect()
    }

    fn texts(body: &str) -> Vec<String> {
        found(body).into_iter().map(|(_, text, _)| text).collect()
    }

    #[test]
    fn declarations_give_types_values_and_queries() {
        let body =
            "<<outer>> DECLARE a app.kind := app.f(1); b app.t%ROWTYPE; c app.t.x%TYPE NOT NULL = 1 + 1;
            d ALIAS FOR $1; e CURSOR (k int) FOR SELECT k FROM app.u; f CONSTANT numeric(3,1) DEFAULT 1;
            g NO SCROLL CURSOR IS SELECT 2; h a%TYPE; BEGIN END";
        let expected = [
            "app.kind",
            "app.f(1)",
            "app.t",
            "app.t",
            "1 + 1",
            "SELECT k FROM app.u",
            "numeric(3,1)",
            "SELECT 2",
        ];
        assert_eq!(texts(body), expected);
    }

    #[test]
    fn variables_of_into_are_no_sql() {
        let body =
            "BEGIN SELECT a, b INTO STRICT r.x, y FROM t; INSERT INTO t VALUES (1) RETURNING id INTO z;
            SELECT INTO q a FROM t; WITH n AS (INSERT INTO t SELECT 1) SELECT 1 INTO c; END";
        let expected = [
            "SELECT a, b § FROM t",
            "INSERT INTO t VALUES (1) RETURNING id §",
            "SELECT § a FROM t",
            "WITH n AS (INSERT INTO t SELECT 1) SELECT 1 §",
        ];
        assert_eq!(texts(body), expected);
    }

    #[test]
    fn every_statement_of_the_language_is_read() {
        let body = "BEGIN
            x := f(1); r.a[g(2)] = h(3); IF i(4) THEN PERFORM j(5); ELSIF k(6) THEN NULL; ELSE CALL l(7); END IF;
            CASE m(8) WHEN n(9), 2 THEN NULL; END CASE; CASE WHEN o(1) THEN NULL; ELSE NULL; END CASE;
            WHILE p(2) LOOP EXIT WHEN q(3); END LOOP; FOR i IN REVERSE r(4)..s(5) BY t(6) LOOP END LOOP;
            FOR rec IN SELECT u(7) LOOP END LOOP; FOR rec IN EXECUTE v(8) USING w(9), 1 LOOP CONTINUE; END LOOP;
            FOREACH a SLICE 1 IN ARRAY x(1) LOOP END LOOP; RETURN NEXT y(2); RETURN QUERY SELECT z(3);
            RETURN QUERY EXECUTE aa(4) USING 1; RAISE NOTICE 'a % %', ab(5), 1 USING HINT = ac(6), DETAIL = ad(7);
            ASSERT ae(8), 'x'; OPEN c FOR SELECT af(9); OPEN d FOR EXECUTE ag(1); OPEN e(1); FETCH c INTO b;
            GET DIAGNOSTICS n = ROW_COUNT; EXECUTE ah(2) INTO STRICT b USING ai(3), aj(4); CLOSE c; RETURN ak(5);
            END";
        let all = texts(body).join(" ");
        for name in [
            "f(1)",
            "h(3)",
            "i(4)",
            "j(5)",
            "k(6)",
            "l(7)",
            "m(8)",
            "n(9)",
            "o(1)",
            "p(2)",
            "q(3)",
            "r(4)",
            "s(5)",
            "t(6)",
            "u(7)",
            "v(8)",
            "w(9)",
            "x(1)",
            "y(2)",
            "z(3)",
            "aa(4)",
            "ab(5)",
            "ac(6)",
            "ad(7)",
            "ae(8)",
            "af(9)",
            "ag(1)",
            "ah(2)",
            "ai(3), aj(4)",
            "ak(5)",
        ] {
            assert!(all.contains(name), "{name} in {all}");
        }
        assert!(!all.contains("INTO") && !all.contains("LOOP") && !all.contains("THEN"), "{all}");
    }

    #[test]
    fn what_may_not_be_reached_is_conditional() {
        let body = "BEGIN PERFORM a(); IF x() THEN PERFORM b(); END IF; PERFORM c();
            BEGIN PERFORM d(); EXCEPTION WHEN OTHERS THEN PERFORM e(); END; PERFORM f(); RETURN; PERFORM g(); END";
        let reached: Vec<_> = found(body).into_iter().filter(|f| !f.2).map(|f| f.1).collect();
        assert_eq!(reached, ["PERFORM a()", "x()", "PERFORM c()", "PERFORM f()"]);
    }

    #[test]
    fn what_is_no_body_ends_quietly() {
        for body in [
            "",
            ";",
            "BEGIN",
            "END",
            "IF",
            "FOR",
            "FOR x IN",
            "RAISE",
            "EXIT",
            "a.",
            "a[",
            "a[1",
            "SELECT INTO",
            "CASE",
            "DECLARE",
            "DECLARE x",
            "RETURN",
            "EXECUTE",
            "OPEN",
            "<<",
            "SELECT a INTO",
            "SELECT a INTO b,",
            "'",
            "EXCEPTION WHEN",
            ")))",
            "(((",
            "DECLARE a%",
            "x INTO .",
            "FOREACH",
            "RETURN QUERY",
        ] {
            let _ = fragments(body);
        }
        let deep = "BEGIN ".repeat(100_000);
        assert!(fragments(&deep).is_empty());
    }
}
