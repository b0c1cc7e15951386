//! What the program says about itself.

use crate::folder::Folder;
use tsmigrate_tests::program::on_terminal;

const COMMANDS: [&str; 11] = [
    "check",
    "rewrite",
    "migrate",
    "dump",
    "restore",
    "verify",
    "cleanup",
    "rules",
    "schema",
    "completions",
    "man",
];

#[test]
fn help_of_every_command_is_grouped_and_fits_eighty_columns() {
    let folder = Folder::new();
    let program = tsmigrate_tests::program::path().display().to_string();
    let all = COMMANDS.map(|command| format!("{program} {command} --help")).join("; ");
    let test = "help_of_every_command_is_grouped_and_fits_eighty_columns";
    let env = [("SOURCE", ""), ("TARGET", "")];
    let Some(shown) =
        on_terminal(test, &format!("stty rows 40 cols 80; {program} --help; {all}"), folder.0.path(), &env)
            .unwrap()
    else {
        return;
    };
    let lines: Vec<String> = shown.lines().map(shown_of).collect();
    let long: Vec<&String> = lines.iter().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    // An option takes a line: nothing hangs below one, but where the program is told of by an environment variable.
    let hanging: Vec<&String> = lines
        .iter()
        .zip(lines.iter().skip(1))
        .filter(|(line, next)| line.trim_start().starts_with('-') && next.starts_with("          "))
        .map(|(line, _)| line)
        .collect();
    assert!(hanging.is_empty(), "{hanging:#?}");
    for command in COMMANDS {
        let help = folder.run(&["help", command]).out;
        assert!(help.contains("Examples:") && help.contains("Exit status:"), "{help}");
        // Where there is more room they read the same: no example is broken.
        let examples = help.lines().skip_while(|line| *line != "Examples:");
        let broken: Vec<&str> = examples.filter(|line| !lines.iter().any(|shown| shown == line)).collect();
        assert!(broken.is_empty(), "{command}: {broken:#?}");
    }
    let help = folder.run(&["help", "--help"]);
    assert!(help.code == 0 && help.out.contains("Usage: tsmigrate help [COMMAND]"), "{help:?}");
    for group in ["Target:", "Source:", "Report:", "Rules:", "Configuration:"] {
        assert!(folder.run(&["check", "--help"]).out.contains(&format!("\n{group}\n")), "{group}");
    }
}

/// A line without escape sequences and the end that a terminal sees.
fn shown_of(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.trim_end().chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = folder.run(&["completions", shell]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{shell}");
        assert!(COMMANDS.iter().all(|command| ran.out.contains(command)), "{shell}");
        assert!(ran.out.contains("fail-on"), "{shell}");
    }
    let page = folder.run(&["man"]);
    assert!(page.out.contains(".TH tsmigrate 1") && page.out.contains("migrate"), "{}", page.all());
    let page = folder.run(&["man", "check"]);
    assert!(page.out.contains("fail\\-on") && page.out.contains("Exit status"), "{}", page.all());
    assert_eq!(folder.run(&["man", "chek"]).code, 2);
    std::fs::create_dir(folder.path("man1")).unwrap();
    let ran = folder.run(&["man", "--output-dir", "man1"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    for command in COMMANDS {
        let page = folder.read(&format!("man1/tsmigrate-{command}.1"));
        assert!(page.contains(".TH"), "{command}");
    }
}

#[test]
fn the_schema_of_the_configuration_takes_what_the_program_takes() {
    let folder = Folder::new();
    let schema = folder.run(&["schema", "config"]).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let whole = "accept = ['EXT-01', 'default-tablespace']\ndatabase = 'shop'\n[severity]\n'SEC-*' = 'off'\n\
                 TSP-03 = 'note'\n[target]\nversion = 17\nreserved-roles = ['a']\nexisting-roles = ['b']\n\
                 [target.extensions]\nadd = ['x']\nremove = ['y']\nreplace = ['z']\n";
    let wrong = [
        "acept = []\n",
        "accept = ['EXT-0']\n",
        "[severity]\nIN-10 = 'off'\n",
        "[severity]\nTSP-03 = 'fatal'\n",
        "[target]\nversion = 14\n",
        "[target.extensions]\nadd = 'x'\n",
    ];
    for text in std::iter::once(whole).chain(wrong) {
        folder.write("tsmigrate.toml", text).write("a.sql", "SELECT 1;\n");
        let takes = folder.run(&["check", "a.sql"]).code != 2;
        let value: toml::Value = toml::from_str(text).unwrap();
        let value = serde_json::to_value(value).unwrap();
        assert_eq!(takes, validator.is_valid(&value), "{text}");
        assert_eq!(takes, text == whole, "{text}");
    }
}
