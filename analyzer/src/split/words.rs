//! What the bare words of a statement say about its end: BEGIN ATOMIC bodies and COPY data.

/// What has been seen of the statement being read.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Open parentheses.
    pub(super) parentheses: u32,
    /// Open BEGIN and CASE of a routine's body.
    pub(super) bodies: u32,
    /// psql looks at no more than the first four words to tell a routine's definition.
    initials: [u8; 4],
    count: u8,
    routine: bool,
    copy: Copy,
    /// How many COPYs with data in the file stand before a `\;`: psql sends what that joins at once.
    joined: usize,
    /// The statement may change a setting.
    pub(super) setting: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Copy {
    /// Before the first word.
    #[default]
    Start,
    /// After COPY.
    Target,
    /// Right after FROM.
    From,
    /// The data follow in the file.
    Inline,
    No,
}

impl Words {
    /// A `\;` joins the next statement to this one.
    pub(super) fn join(&mut self) {
        if self.at_top() {
            self.joined += usize::from(self.copy == Copy::Inline);
            self.next();
        }
    }

    /// The statement is sent. Says how many COPYs in it want data from the file.
    pub(super) fn send(&mut self) -> usize {
        let copies = self.joined + usize::from(self.copy == Copy::Inline);
        self.joined = 0;
        self.next();
        copies
    }

    fn next(&mut self) {
        self.count = 0;
        self.copy = Copy::Start;
        self.setting = false;
    }

    /// Takes the next bare word. What it does to `bodies` is psql's own heuristic, quirks included.
    pub(super) fn word(&mut self, word: &[u8]) {
        let done = self.count >= 4 && !self.routine && !matches!(self.copy, Copy::Target | Copy::From);
        if done || self.parentheses > 0 {
            return;
        }
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        match self.copy {
            Copy::Start => self.copy = if is("copy") { Copy::Target } else { Copy::No },
            Copy::Target if is("from") => self.copy = Copy::From,
            // PostgreSQL's grammar takes either name for either direction.
            Copy::From => self.copy = if is("stdin") || is("stdout") { Copy::Inline } else { Copy::No },
            _ => {}
        }
        if self.count < 4 {
            if self.count == 0 {
                self.initials = [0; 4];
                self.setting = is("set") || is("select") || is("reset") || is("discard");
            }
            if ["create", "function", "procedure", "or", "replace"].into_iter().any(is)
                && let (Some(slot), Some(letter)) =
                    (self.initials.get_mut(usize::from(self.count)), word.first())
            {
                *slot = letter.to_ascii_lowercase();
            }
            self.count += 1;
            self.routine = matches!(self.initials, [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p']);
        }
        if self.routine {
            if is("begin") || (is("case") && self.bodies > 0) {
                self.bodies = self.bodies.saturating_add(1);
            } else if is("end") {
                self.bodies = self.bodies.saturating_sub(1);
            }
        }
    }

    /// A semicolon here ends the statement.
    pub(super) fn at_top(&self) -> bool {
        self.parentheses == 0 && self.bodies == 0
    }
}
