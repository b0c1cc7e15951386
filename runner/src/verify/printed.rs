//! Expressions as servers print them, brought into one form.
//!
//! Only what cannot change the meaning: brackets in chains of AND and OR, whether an array's type is asked for as a whole or
//! element by element, and words that say the default.

/// A token, or what stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node<'a> {
    Token(&'a str),
    /// Round ones.
    Group(Vec<Node<'a>>),
    /// Square ones.
    Square(Vec<Node<'a>>),
}

use Node::{Group, Square, Token};

/// The tokens of a definition in the one form.
pub(super) fn canonical<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let nodes = settle(parse(&mut tokens.iter().copied(), None));
    let mut out = Vec::with_capacity(tokens.len());
    write(&nodes, &mut out);
    out
}

fn parse<'a>(tokens: &mut impl Iterator<Item = &'a str>, end: Option<&str>) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            _ if Some(token) == end => break,
            "(" => nodes.push(Group(parse(tokens, Some(")")))),
            "[" => nodes.push(Square(parse(tokens, Some("]")))),
            token => nodes.push(Token(token)),
        }
    }
    nodes
}

fn write<'a>(nodes: &[Node<'a>], out: &mut Vec<&'a str>) {
    for node in nodes {
        let (open, inside, close) = match node {
            Token(token) => {
                out.push(token);
                continue;
            }
            Group(inside) => ("(", inside, ")"),
            Square(inside) => ("[", inside, "]"),
        };
        out.push(open);
        write(inside, out);
        out.push(close);
    }
}

/// Brings what stands between two brackets into the one form, the inner brackets first.
fn settle(nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    let mut settled = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node {
            Group(inside) => {
                let mut inside = settle(inside);
                // The default of XMLSERIALIZE, printed since 16.
                if ends(&inside, &["NO", "INDENT"]) {
                    inside.truncate(inside.len() - 2);
                }
                // Version 17 puts it in brackets, 15 and 18 do not.
                if ends(&inside, &["IS", "DOCUMENT"]) {
                    settled.extend(inside);
                } else {
                    settled.push(Group(inside));
                }
            }
            Square(inside) => settled.push(Square(settle(inside))),
            Token(token) => settled.push(Token(token)),
        }
    }
    arrays(&flat(settled))
}

fn ends(nodes: &[Node<'_>], words: &[&str]) -> bool {
    nodes.len() > words.len()
        && nodes[nodes.len() - words.len()..].iter().zip(words).all(|(node, word)| *node == Token(word))
}

/// `(a AND b) AND c` is `a AND b AND c`: the parser makes one list of what stands to the left.
fn flat(nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    let Some(word) = chain(&nodes) else { return nodes };
    let mut out = Vec::with_capacity(nodes.len());
    for (number, operand) in nodes.split(|node| *node == Token(word)).enumerate() {
        if number > 0 {
            out.push(Token(word));
        }
        match operand {
            [Group(inside)] if chain(inside) == Some(word) => out.extend_from_slice(inside),
            operand => out.extend_from_slice(operand),
        }
    }
    out
}

/// AND or OR, where there is nothing but conditions in brackets or of one word with it between them.
fn chain<'a>(nodes: &[Node<'a>]) -> Option<&'a str> {
    let word = nodes.iter().find_map(|node| match node {
        Token(word @ ("AND" | "OR")) => Some(*word),
        _ => None,
    })?;
    let mut operand = false;
    for node in nodes {
        match node {
            Token("AND" | "OR") if !operand || *node != Token(word) => return None,
            Token("AND" | "OR") => operand = false,
            // The AND of a window's frame.
            Token("BETWEEN") => return None,
            _ => operand = true,
        }
    }
    operand.then_some(word)
}

/// `(ARRAY['a'::varchar])::text[]` is `ARRAY[('a'::varchar)::text]`.
fn arrays<'a>(nodes: &[Node<'a>]) -> Vec<Node<'a>> {
    let mut out = Vec::with_capacity(nodes.len());
    let mut rest = nodes;
    while let Some((first, after)) = rest.split_first() {
        let array = match first {
            Token("ARRAY") => match after {
                [Square(elements), after @ ..] => Some((elements, after)),
                _ => None,
            },
            Group(inside) => match &inside[..] {
                [Token("ARRAY"), Square(elements)] if element_type(after).is_some() => {
                    Some((elements, after))
                }
                _ => None,
            },
            _ => None,
        };
        let Some((elements, after)) = array else {
            out.push(first.clone());
            rest = after;
            continue;
        };
        let (wanted, after) = element_type(after).unwrap_or((&[], after));
        let mut list = Vec::with_capacity(elements.len());
        for (number, element) in elements.split(|node| *node == Token(",")).enumerate() {
            if number > 0 {
                list.push(Token(","));
            }
            list.extend(bare(element));
            // An array in an array has no type of its own to be asked for.
            if !wanted.is_empty() && !element.is_empty() {
                list.extend([Token(":"), Token(":")]);
                list.extend_from_slice(wanted);
            }
        }
        out.extend([Token("ARRAY"), Square(list)]);
        rest = after;
    }
    out
}

/// `(x)::text` as `x::text`, as far as nothing else follows.
fn bare<'a>(element: &[Node<'a>]) -> Vec<Node<'a>> {
    match element {
        [Group(inside), Token(":"), Token(":"), wanted @ ..] if type_length(wanted) == wanted.len() => {
            [inside, &element[1..]].concat()
        }
        _ => element.to_vec(),
    }
}

/// Reads `::text[]`: the tokens of the element's type, and what follows.
fn element_type<'n, 'a>(nodes: &'n [Node<'a>]) -> Option<(&'n [Node<'a>], &'n [Node<'a>])> {
    let [Token(":"), Token(":"), rest @ ..] = nodes else { return None };
    let (wanted, rest) = rest.split_at(type_length(rest));
    match rest {
        [Square(size), rest @ ..] if size.is_empty() && !wanted.is_empty() => Some((wanted, rest)),
        _ => None,
    }
}

/// How many nodes belong to a type's name: `text`, `character varying(20)`, `"My".type`.
fn type_length(nodes: &[Node<'_>]) -> usize {
    let is_name = |node: &Node<'_>| match node {
        Token(token) => {
            *token == "." || token.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"')
        }
        Group(modifier) => modifier.iter().all(|node| match node {
            Token(token) => *token == "," || token.starts_with(|c: char| c.is_ascii_digit()),
            _ => false,
        }),
        Square(_) => false,
    };
    nodes.iter().take_while(|node| is_name(node)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(expression: &str) -> String {
        let spaced =
            expression.replace('(', " ( ").replace(')', " ) ").replace('[', " [ ").replace(']', " ] ");
        let spaced = spaced.replace("::", " : : ").replace(',', " , ");
        canonical(&spaced.split_whitespace().collect::<Vec<_>>()).join(" ")
    }

    #[test]
    fn chains_of_one_word_need_no_brackets() {
        assert_eq!(text("((a AND b) AND c)"), text("(a AND b AND c)"));
        assert_eq!(
            text("(((a >= 1) AND (a <= 9)) AND (a <> 5))"),
            text("((a >= 1) AND (a <= 9) AND (a <> 5))")
        );
        assert_eq!(text("((x OR y) OR z)"), text("(x OR (y OR z))"));
        assert_ne!(text("((a AND b) OR c)"), text("(a AND (b OR c))"));
        assert_ne!(text("(NOT (a AND b) AND c)"), text("(NOT a AND b AND c)"));
        assert_ne!(text("f((a AND b))"), text("f(a AND c)"));
    }

    #[test]
    fn an_arrays_type_may_be_asked_for_by_element() {
        assert_eq!(
            text("x = ANY ((ARRAY['a'::character varying, f(b)])::text[])"),
            text("x = ANY (ARRAY[('a'::character varying)::text, (f(b))::text])")
        );
        assert_eq!(text("ARRAY[a, b]::app.t[]"), text("ARRAY[a::app.t, b::app.t]"));
        assert_eq!(text("(ARRAY[a])::numeric(10,2)[]"), text("ARRAY[(a)::numeric(10,2)]"));
        assert_ne!(text("(ARRAY[a, b])::text[]"), text("ARRAY[(a)::text, (b)::name]"));
        assert_ne!(text("(ARRAY[a])::text[]"), text("ARRAY[a]"));
        assert_ne!(text("(ARRAY[a])::text"), text("ARRAY[(a)::text]"));
    }

    #[test]
    fn words_that_say_the_default_are_left_out() {
        assert_eq!(
            text("XMLSERIALIZE(CONTENT x AS text NO INDENT)"),
            text("XMLSERIALIZE(CONTENT x AS text)")
        );
        assert_eq!(text("CHECK ((x IS DOCUMENT))"), text("CHECK (x IS DOCUMENT)"));
    }
}
