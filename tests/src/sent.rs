//! The statements of a text with their places, before and after a rewrite: what connects a server's answers with a
//! report's findings.

use tsmigrate_analyzer::rewrite::Planned;
use tsmigrate_analyzer::split::{End, Kind, Piece, Splitter};
use tsmigrate_analyzer::{Analysis, Style};

use crate::replay::{ReplayStep, steps};

/// A statement that goes to a server.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What is sent.
    pub step: ReplayStep,
    /// Its number in the original text, as findings count: `None` where the rewrite added it.
    pub statement: Option<u64>,
    /// Its first byte in the text that it is sent from.
    pub start: u64,
    /// The line of that byte.
    pub line: u64,
}

impl Sent {
    /// Its first characters on one line.
    #[must_use]
    pub fn words(&self, most: usize) -> String {
        let sql = String::from_utf8_lossy(self.step.sql());
        sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(most).collect()
    }
}

/// The statements of a text.
#[must_use]
pub fn sent(text: &[u8]) -> Vec<Sent> {
    let mut places = Vec::new();
    let mut number = 0;
    // The splitter cuts a statement where a psql command stands in its middle; each part counts.
    let mut continues = false;
    let mut take = |piece: Piece<'_>| {
        if piece.kind == Kind::Statement {
            number += 1;
            if !continues {
                places.push((number, piece.span.start, piece.at.line));
            }
            continues = piece.end == End::Broken;
        }
    };
    let mut splitter = Splitter::new();
    splitter.feed(text, &mut take);
    splitter.finish(&mut take);
    steps(text)
        .into_iter()
        .zip(places)
        .map(|(step, (number, start, line))| Sent { step, statement: Some(number), start, line })
        .collect()
}

/// The statements of one input after the rewrite, each with the number of the statement that it was.
#[must_use]
pub fn sent_after(analysis: &Analysis, input: usize, text: &[u8]) -> Vec<Sent> {
    let mut rewriter = analysis.rewriter(input, Style::Delete);
    let mut out = Vec::new();
    rewriter.feed(text, &mut out);
    rewriter.finish(&mut out);
    let before = sent(text);
    let planned = analysis.inputs.get(input).map_or(&[][..], |input| &input.planned);
    let mut after = sent(&out);
    for sent in &mut after {
        sent.statement = original_byte(planned, sent.start)
            .and_then(|byte| before.iter().take_while(|known| known.start <= byte).last()?.statement);
    }
    after
}

/// The byte of the original that became this byte of the rewritten text; `None` in what was added.
fn original_byte(planned: &[Planned], byte: u64) -> Option<u64> {
    let (mut from, mut to) = (0, 0);
    for planned in planned {
        let span = planned.span();
        let kept = span.start - from;
        if byte < to + kept {
            break;
        }
        to += kept;
        let text = match planned {
            Planned::Replace(edit) => edit.text.len() as u64,
            Planned::Remove { .. } => 0,
        };
        if byte < to + text {
            return (!span.is_empty()).then_some(span.start);
        }
        to += text;
        from = span.end;
    }
    Some(from + (byte - to))
}
