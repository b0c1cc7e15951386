//! The house itself: which file may use which, and how long a file may be.

// The helpers of tests are tests too.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A crate and its top-level modules in their order: each uses only what stands before it.
struct Crate {
    source: &'static str,
    layers: &'static [&'static str],
}

const CRATES: &[Crate] = &[
    Crate {
        source: "analyzer/src",
        layers: &[
            "text",
            "clean",
            "human",
            "grow",
            "split",
            "parse",
            "quote",
            "input",
            "secrets",
            "edit",
            "finding",
            "allow",
            "locate",
            "target",
            "facts",
            "archive",
            "body",
            "order",
            "batches",
            "parse_cache",
            "conversion",
            "options",
            "server",
            "rule",
            "rewrite",
            "moving",
            "rules",
            "analysis",
            "report",
        ],
    },
    Crate {
        source: "runner/src",
        layers: &[
            "defect",
            "os",
            "redact",
            "signals",
            "error",
            "human",
            "quote",
            "names",
            "step",
            "record",
            "private_file",
            "progress",
            "results",
            "connect",
            "guard",
            "guarded",
            "timescale",
            "child",
            "capacity",
            "inspect",
            "tables",
            "hazards",
            "jobs",
            "filter",
            "clashes",
            "volume",
            "altered_builtins",
            "altered_members",
            "omitted",
            "states",
            "tools",
            "watch",
            "live",
            "script",
            "converted",
            "left_out",
            "analysis",
            "moving",
            "estimate",
            "plan",
            "journal",
            "workdir",
            "engine",
            "verify",
            "report",
            "frames",
            "inserts",
            "archive",
            "text_dump",
            "migrate",
            "workers",
            "cli",
        ],
    },
];

/// Longest source file, in lines.
const MOST_LINES: usize = 500;

type Names = Vec<String>;

/// Words, `::`, braces, commas, semicolons and stars of a source text; other marks as `.`. No comments, no literals.
fn tokens(text: &str) -> Names {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = Names::new();
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == 'r' && (at(i + 1) == '"' || at(i + 1) == '#' && matches!(at(i + 2), '"' | '#')) {
            let marks = (i + 1..chars.len()).take_while(|index| at(*index) == '#').count();
            i += marks + 2;
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', marks)).collect();
            while i < chars.len() && !chars[i..].starts_with(&end) {
                i += 1;
            }
            i += marks + 1;
        } else if c == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
        } else if is_word(c) {
            let end = (i..chars.len()).find(|index| !is_word(at(*index))).unwrap_or(chars.len());
            out.push(chars[i..end].iter().collect());
            i = end;
        } else if c == ':' && at(i + 1) == ':' {
            out.push("::".to_owned());
            i += 2;
        } else {
            if !c.is_whitespace() {
                out.push(if "{},;*#[]()".contains(c) { c } else { '.' }.to_string());
            }
            i += 1;
        }
    }
    out
}

/// A `use`: the path, the name that it binds here (`*` for all), and whether others see it.
struct Use {
    path: Names,
    name: String,
    public: bool,
}

/// What a file names.
#[derive(Default)]
struct Source {
    uses: Vec<Use>,
    paths: Vec<Names>,
}

/// Reads the tree of a `use` that begins at `i`, and returns the place behind it.
fn use_tree(tokens: &[String], mut i: usize, prefix: &[String], public: bool, uses: &mut Vec<Use>) -> usize {
    let mut path = prefix.to_vec();
    let mut name = None;
    while let Some(token) = tokens.get(i) {
        match token.as_str() {
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|token| token != "}") {
                    i = use_tree(tokens, i, &path, public, uses);
                    if tokens.get(i).is_some_and(|token| token == ",") {
                        i += 1;
                    }
                }
                return i + 1;
            }
            "," | ";" | "}" => break,
            "::" => {}
            "as" => {
                i += 1;
                name = tokens.get(i).cloned();
            }
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
        i += 1;
    }
    if path.last().is_some_and(|last| last == "*") {
        path.pop();
        name = Some("*".to_owned());
    }
    let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
    uses.push(Use { path, name, public });
    i
}

fn source(text: &str) -> Source {
    // A module of tests may look at everything.
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let tokens = tokens(text);
    let mut source = Source::default();
    let mut i = 0;
    while i < tokens.len() {
        let word = |index: usize| tokens.get(index).map_or("", String::as_str);
        let begins_name = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if word(i) == "use" && begins_name(word(i + 1)) {
            let public = i > 0 && matches!(word(i - 1), "pub" | ")");
            i = use_tree(&tokens, i + 1, &[], public, &mut source.uses);
        } else if word(i + 1) == "::" && begins_name(word(i)) {
            let mut path = vec![tokens[i].clone()];
            i += 1;
            while word(i) == "::" && begins_name(word(i + 1)) {
                path.push(tokens[i + 1].clone());
                i += 2;
            }
            source.paths.push(path);
        } else {
            i += 1;
        }
    }
    source
}

/// All files of a crate by the path of their module: `rules/context.rs` is `[rules, context]`.
struct Modules {
    sources: BTreeMap<Names, Source>,
}

impl Modules {
    fn read(folder: &Path) -> Self {
        let mut sources = BTreeMap::new();
        for file in rust_files(folder) {
            let relative = file.strip_prefix(folder).unwrap().with_extension("");
            let mut module: Names = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            if module.last().is_some_and(|last| last == "tests" || last == "main") {
                continue;
            }
            sources.insert(module, source(&fs::read_to_string(&file).unwrap()));
        }
        Self { sources }
    }

    /// The path from the crate's root; `None` for what is no module of the crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Names> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let mut base = module.to_vec();
                base.pop();
                if rest.first().is_some_and(|next| next == "super") {
                    return self.absolute(&base, rest);
                }
                Some([&base[..], rest].concat())
            }
            _ => {
                let child = [module, std::slice::from_ref(first)].concat();
                self.sources.contains_key(&child).then(|| [module, path].concat())
            }
        }
    }

    /// The file that has what a path names, re-exports followed; `None` where the path names a whole module.
    fn file_of(&self, path: &[String], depth: usize) -> Option<Names> {
        let known = (0..=path.len()).rev().find(|end| self.sources.contains_key(&path[..*end]))?;
        let (module, rest) = path.split_at(known);
        let name = rest.first()?;
        let exports = self.sources.get(module).into_iter().flat_map(|source| &source.uses);
        let mut exports = exports.filter(|export| export.public && export.name == *name && depth < 8);
        if let Some(export) = exports.next() {
            let target = self.absolute(module, &export.path)?;
            let target = [&target[..], &rest[1..]].concat();
            return self.file_of(&target, depth + 1).or(Some(target));
        }
        Some(module.to_vec())
    }

    /// The files that each file uses.
    fn edges(&self) -> BTreeMap<Names, BTreeSet<Names>> {
        let mut edges = BTreeMap::new();
        for (module, source) in &self.sources {
            let mut used = BTreeSet::new();
            for import in source.uses.iter().filter(|import| !import.public) {
                let Some(path) = self.absolute(module, &import.path) else { continue };
                if import.name == "*" {
                    used.insert(path);
                } else {
                    used.extend(self.file_of(&path, 0));
                }
            }
            for path in &source.paths {
                let bound =
                    path.first().and_then(|first| source.uses.iter().find(|import| import.name == *first));
                let absolute = match bound {
                    Some(import) => self
                        .absolute(module, &import.path)
                        .map(|target| [&target[..], path.get(1..).unwrap_or_default()].concat()),
                    None => self.absolute(module, path),
                };
                used.extend(absolute.and_then(|path| self.file_of(&path, 0)));
            }
            used.retain(|other| other != module && !other.is_empty() && self.sources.contains_key(other));
            if !module.is_empty() {
                edges.insert(module.clone(), used);
            }
        }
        edges
    }
}

/// The files that each file reaches.
fn reached(edges: &BTreeMap<Names, BTreeSet<Names>>, from: &Names) -> BTreeSet<Names> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(module) = open.pop() {
        for next in edges.get(&module).into_iter().flatten() {
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    seen
}

fn top() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | "node_modules" | "snapshots") && !name.starts_with('.')
        {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn no_file_uses_a_layer_above_its_own() {
    let mut wrong = Vec::new();
    for Crate { source, layers } in CRATES {
        let place = |name: &str| layers.iter().position(|layer| *layer == name);
        for (module, used) in Modules::read(&top().join(source)).edges() {
            let Some(own) = place(&module[0]) else {
                wrong.push(format!("{source}: {} is in no layer", module[0]));
                continue;
            };
            let file = module.join("::");
            for other in used.iter().filter(|other| place(&other[0]).is_some_and(|other| other > own)) {
                wrong.push(format!("{source}: {file} uses {} above it", other.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    for Crate { source, .. } in CRATES {
        let edges = Modules::read(&top().join(source)).edges();
        let reach: BTreeMap<&Names, BTreeSet<Names>> =
            edges.keys().map(|module| (module, reached(&edges, module))).collect();
        for (module, used) in &edges {
            let back: Vec<String> =
                used.iter().filter(|next| reach[next].contains(module)).map(|next| next.join("::")).collect();
            if !back.is_empty() {
                let file = module.join("::");
                wrong.push(format!("{source}: {file} uses {}, and is used by them", back.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let top = top();
    let mut wrong = Vec::new();
    for part in ["analyzer", "runner", "tests", "web"] {
        for file in rust_files(&top.join(part)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > MOST_LINES {
                wrong.push(format!("{} has {lines} lines", file.strip_prefix(&top).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let text = "use crate::a::{self, b::C, d as e};\npub(crate) use f::G;\nuse super::*;\n\
                // crate::no\nfn f() { let x = \"crate::no\"; crate::h::i(); e::J { k: '\"' }; }\n\
                #[cfg(test)]\nmod tests { use crate::no; }\n";
    let found = source(text);
    let uses: Vec<String> = found
        .uses
        .iter()
        .map(|import| format!("{} {} {}", import.path.join("::"), import.name, import.public))
        .collect();
    assert_eq!(
        uses,
        ["crate::a a false", "crate::a::b::C C false", "crate::a::d e false", "f::G G true", "super * false"]
    );
    let paths: Vec<String> = found.paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["crate::h::i", "e::J"]);
}

#[test]
fn pages_name_files_that_exist() {
    let top = top();
    let mut wrong = Vec::new();
    let pages = ["", "analyzer", "runner", "tests", "web", "web/sysroot"].map(|folder| top.join(folder));
    for folder in pages {
        for entry in fs::read_dir(&folder).unwrap() {
            let page = entry.unwrap().path();
            if page.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&page).unwrap();
            let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
            let links =
                links.filter(|link| !link.is_empty() && !link.contains("://")).map(|link| folder.join(link));
            let parts = ["analyzer/", "runner/", "tests/", "web/", ".github/"];
            let paths = text.split('`').skip(1).step_by(2).filter(|code| {
                let is_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
                // web/build makes these.
                let made = ["web/dist", "web/package"].iter().any(|made| {
                    code.strip_prefix(made).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                });
                parts.iter().any(|part| code.starts_with(part)) && code.chars().all(is_path) && !made
            });
            let files = links.chain(paths.map(|path| top.join(path)));
            wrong.extend(
                files
                    .filter(|file| !file.exists())
                    .map(|file| format!("{}: {}", page.display(), file.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
