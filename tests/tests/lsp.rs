//! The language server, as an editor speaks to it.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tsmigrate_tests::program;

type Outcome = Result<(), Box<dyn Error>>;

struct Editor {
    server: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Editor {
    fn start() -> Result<Self, Box<dyn Error>> {
        let mut server = Command::new(program::path())
            .args(["lsp", "--no-config", "--target-version", "17"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (to, from) = (server.stdin.take().ok_or("no stdin")?, server.stdout.take().ok_or("no stdout")?);
        let mut editor = Self { server, to, from: BufReader::new(from) };
        let answer = editor.ask("initialize", &json!({ "capabilities": {} }))?;
        assert_eq!(answer["capabilities"]["hoverProvider"], true, "{answer}");
        editor.tell("initialized", &json!({}))?;
        Ok(editor)
    }

    fn send(&mut self, message: &Value) -> Outcome {
        let text = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        Ok(self.to.flush()?)
    }

    fn tell(&mut self, method: &str, params: &Value) -> Outcome {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    }

    fn next(&mut self) -> Result<Value, Box<dyn Error>> {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.from.read_line(&mut line)?;
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(number) => length = number.parse()?,
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut text = vec![0; length];
        self.from.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Box<dyn Error>> {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))?;
        loop {
            let message = self.next()?;
            if message["id"] == 1 {
                return Ok(message["result"].clone());
            }
        }
    }

    /// Opens the file with `text`; the diagnostics that the server has for it.
    fn open(&mut self, text: &str) -> Result<Vec<Value>, Box<dyn Error>> {
        let document = json!({ "uri": FILE, "languageId": "sql", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }))?;
        self.diagnostics()
    }

    fn diagnostics(&mut self) -> Result<Vec<Value>, Box<dyn Error>> {
        loop {
            let message = self.next()?;
            if message["method"] == "textDocument/publishDiagnostics" {
                return Ok(message["params"]["diagnostics"].as_array().cloned().unwrap_or_default());
            }
        }
    }
}

const FILE: &str = "file:///tmp/shop%20dump.sql";

#[test]
fn an_editor_sees_findings_where_they_are_and_can_apply_their_fixes() -> Outcome {
    let mut editor = Editor::start()?;
    let text = "-- für 😀\nCREATE TABLE public.\"é\" (id integer); SET default_tablespace = fast;\n";
    let found = editor.open(text)?;
    let codes: Vec<_> = found.iter().map(|one| one["code"].as_str().unwrap_or_default()).collect();
    assert_eq!(codes, ["TSP-03"], "{found:#?}");
    let range = found[0]["range"].clone();
    assert_eq!(range["start"]["line"], 1, "{range}");
    let hover = editor
        .ask("textDocument/hover", &json!({ "textDocument": { "uri": FILE }, "position": range["start"] }))?;
    assert!(hover["contents"]["value"].as_str().is_some_and(|text| text.contains("**TSP-03**")), "{hover}");
    let actions = editor.ask(
        "textDocument/codeAction",
        &json!({ "textDocument": { "uri": FILE }, "range": range, "context": { "diagnostics": [] } }),
    )?;
    let kinds: Vec<_> =
        actions.as_array().ok_or("no actions")?.iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, ["quickfix", "source.fixAll"], "{actions:#}");
    let edit = &actions[0]["edit"]["changes"][FILE][0];
    // Columns are counted in UTF-16.
    let before = "CREATE TABLE public.\"é\" (id integer); SET default_tablespace = ".encode_utf16().count();
    assert_eq!(edit["range"]["start"], json!({ "line": 1, "character": before }), "{edit}");
    assert_eq!(edit["newText"], "''", "{edit}");
    // A mended file has no finding left, and a closed one neither.
    let changes = json!([{ "text": "CREATE TABLE public.t (id integer);\n" }]);
    let version = json!({ "uri": FILE, "version": 2 });
    editor.tell("textDocument/didChange", &json!({ "textDocument": version, "contentChanges": changes }))?;
    assert_eq!(editor.diagnostics()?, Vec::<Value>::new());
    editor.ask("shutdown", &Value::Null)?;
    editor.tell("exit", &Value::Null)?;
    assert!(editor.server.wait()?.success());
    Ok(())
}

#[test]
fn an_unfinished_statement_leaves_what_is_found_before_it() -> Outcome {
    for unfinished in [
        "CREATE TABLE y (\n    a int",
        "SELECT 'a\n",
        "DO $$\nBEGIN\n",
        "/* why\n",
        "COPY t FROM stdin;\n1\n",
    ] {
        let mut editor = Editor::start()?;
        let found =
            editor.open(&format!("CREATE TABLE t (a int);\nSET default_tablespace = fast;\n{unfinished}"))?;
        let all: Vec<_> = found.iter().map(|one| (&one["code"], &one["range"]["start"]["line"])).collect();
        assert_eq!(
            all,
            [(&json!("TSP-03"), &json!(1)), (&Value::Null, &json!(2))],
            "{unfinished}: {found:#?}"
        );
    }
    let found = Editor::start()?.open("CREATE TABLE y (\n    a int")?;
    assert_eq!(
        (found.len(), &found[0]["range"]["end"]),
        (1, &json!({ "line": 1, "character": 9 })),
        "{found:#?}"
    );
    Ok(())
}

#[test]
fn what_is_no_dump_of_postgresql_is_one_warning() -> Outcome {
    let mut editor = Editor::start()?;
    let text = "-- MySQL dump 10.13\nCREATE TABLE `t` (`id` int) ENGINE=InnoDB;\n";
    let found = editor.open(text)?;
    assert!(found.len() == 1 && found[0]["severity"] == 2, "{found:#?}");
    // An editor that has gone is no failure.
    drop(editor.to);
    assert!(editor.server.wait()?.success());
    Ok(())
}

/// What somebody in Neovim sees, each answer by its name.
#[test]
fn neovim_shows_findings_and_rules_and_applies_fixes_while_somebody_types() -> Outcome {
    let folder = tempfile::Builder::new().prefix("the für ").tempdir()?;
    let file = folder.path().join("shop dump.sql");
    let first =
        "-- für 😀\nCREATE TABLE public.\"é\" (id integer); /* 😀 */ SET default_tablespace = fast;\n";
    std::fs::write(&file, format!("{first}CREATE TABLESPACE fast LOCATION '/x';\n"))?;
    let session = format!("luafile {}/fixtures/lsp/session.lua", env!("CARGO_MANIFEST_DIR"));
    let mut neovim = Command::new("nvim");
    // It would read and write files of whoever runs the tests.
    neovim.args(["--headless", "--clean", "-i", "NONE", "-c", &session, "-c", "qa!"]).arg(&file);
    neovim.env("XDG_STATE_HOME", folder.path()).env("TSMIGRATE_PROGRAM", program::path());
    let output = match neovim.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: the language server in Neovim: nvim is missing");
            return Ok(());
        }
        output => output?,
    };
    let said = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let answers = said.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let answer = |what: &str| {
        let found = answers.iter().find(|answer| answer["what"] == what);
        found.map(|answer| answer["value"].clone()).ok_or_else(|| format!("no {what}: {said}{complaint}"))
    };
    let finding = |code, line| json!({ "code": code, "line": line, "severity": 1, "source": "tsmigrate" });
    let (setting, tablespace) = (finding("TSP-03", 1), finding("TSP-01", 2));
    assert_eq!(answer("diagnostics")?, json!([setting, tablespace]));
    assert!(answer("hover")?.as_str().is_some_and(|text| text.starts_with("**TSP-03**")), "{said}");
    assert_eq!(answer("actions")?, json!(["quickfix", "source.fixAll"]));
    let fixed = first.replace("= fast", "= ''");
    let fixed: Vec<&str> = fixed.lines().collect();
    assert_eq!(answer("applied")?, json!([fixed[0], fixed[1], "CREATE TABLESPACE fast LOCATION '/x';"]));
    assert_eq!(answer("left")?, json!([tablespace]));
    assert_eq!(answer("typed")?, json!([tablespace, finding("ROLE-04", 3)]));
    let rewritten = answer("rewritten")?;
    assert_eq!(rewritten["left"], json!([]), "{rewritten}");
    assert_eq!(
        rewritten["text"].as_array().and_then(|lines| lines.last()),
        Some(&json!("CREATE ROLE boss;"))
    );
    assert_eq!(answer("ended")?, true);
    Ok(())
}
