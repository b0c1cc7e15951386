//! What a person sees on a terminal.

use crate::folder::Folder;
use tsmigrate_tests::program::on_terminal;

/// A dump with something of most kinds that dumps have.
fn ordinary(folder: &Folder) {
    let mut text = String::from(
        "SET default_tablespace = fast;\nCREATE EXTENSION hll;\nCREATE EXTENSION plpython3u;\n\
         CREATE TABLE public.visitors (site integer, users hll, a_column_with_a_rather_long_name integer, another_column text, one_more timestamptz);\n\
         CREATE VIEW public.site_visitors AS SELECT site, users FROM public.visitors;\n",
    );
    for n in 0..120 {
        text += &format!("CREATE TABLE public.t{n} (a integer PRIMARY KEY) TABLESPACE fast;\n");
        text += &format!("ALTER TABLE public.t{n} OWNER TO shop_owner;\n");
        text += &format!("GRANT SELECT ON TABLE pg_catalog.pg_class TO shop_owner; -- {n}\n");
    }
    text += "CREATE FUNCTION public.log() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';\n\
             CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION public.log();\n\
             CREATE UNLOGGED TABLE public.u (a integer);\nALTER ROLE shop_owner SET log_statement = 'all';\n";
    folder.write("ordinary.sql", text);
    folder.write("people.sql", "CREATE ROLE shop_owner WITH SUPERUSER LOGIN PASSWORD 'x';\n");
}

#[test]
fn an_ordinary_dump_is_forty_lines_that_lead_with_the_verdict_and_what_to_decide() {
    let folder = Folder::new();
    ordinary(&folder);
    let ran = folder.run(&["check", "people.sql", "ordinary.sql"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines.len() <= 40, "{} lines\n{}", lines.len(), ran.out);
    assert!(lines[0].starts_with("Needs 1 decision"), "{}", ran.out);
    let at = |text: &str| {
        lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}\n{}", ran.out))
    };
    let order = [
        "decision 1: ",
        "^^^",
        "= why: ",
        "= do: ",
        "= or: ",
        "you will lose",
        "fixed by the rewrite: ",
        "next: ",
    ];
    assert!(order.map(at).is_sorted(), "{}", ran.out);
    // A rule has a line in the table however often it was used, and --all shows each.
    assert_eq!(lines.iter().filter(|line| line.contains("TSP-04")).count(), 1, "{}", ran.out);
    let all = folder.run(&["check", "--all", "people.sql", "ordinary.sql"]).out;
    assert!(all.matches("error[TSP-04]").count() >= 120);
}

#[test]
fn nothing_is_broken_within_a_word_at_eighty_columns_and_files_are_links() {
    let folder = Folder::new();
    ordinary(&folder);
    let program = tsmigrate_tests::program::path().display().to_string();
    let command = format!("stty rows 40 cols 80; {program} check people.sql ordinary.sql");
    let test = "nothing_is_broken_within_a_word_at_eighty_columns_and_files_are_links";
    let shown = |set: &[(&str, &str)]| on_terminal(test, &command, folder.0.path(), set).unwrap();
    let Some(plain) = shown(&[("NO_COLOR", "1"), ("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8")]) else { return };
    let long = |line: &&str| {
        line.trim_end().chars().count() > 80
            && !line.contains("    tsmigrate ")
            && !line.starts_with("    pg_dumpall ")
    };
    assert_eq!(plain.lines().find(long), None, "{plain}");
    // Narrow terminals are as wide as they are: only what is to be copied is longer, and no word is broken.
    for columns in [40, 60] {
        let command = format!("stty rows 40 cols {columns}; {program} check people.sql ordinary.sql");
        let narrow = on_terminal(test, &command, folder.0.path(), &[("NO_COLOR", "1")]).unwrap().unwrap();
        let is_long = |line: &&str| {
            let line = line.trim_end();
            line.chars().count() > columns && !line.contains("tsmigrate ") && line.trim().contains(' ')
        };
        let below = narrow.lines().skip_while(|line| !line.starts_with("you will lose"));
        let head = narrow.lines().take_while(|line| !line.is_empty());
        assert_eq!(head.chain(below).find(is_long), None, "{narrow}");
    }
    // Further places stand below a place that leaves them no room.
    let name = "schema-of-the-shop-as-its-old-server-had-it-in-autumn.sql";
    folder.write(name, folder.read("ordinary.sql"));
    let command = format!("stty rows 40 cols 80; {program} check {name}");
    let places = on_terminal(test, &command, folder.0.path(), &[("NO_COLOR", "1")]).unwrap().unwrap();
    assert_eq!(places.lines().find(long), None, "{places}");
    assert!(places.lines().any(|line| line.trim_start().starts_with("also lines ")), "{places}");
    let excerpt =
        plain.lines().find(|line| line.contains("│ CREATE TABLE") || line.contains("│ … ")).unwrap();
    let shown_words = excerpt.split('│').nth(1).unwrap().split_whitespace();
    let dump = folder.read("ordinary.sql");
    assert!(
        shown_words.filter(|word| *word != "…").all(|word| dump.split([' ', '\n']).any(|w| w == word)),
        "{excerpt}"
    );
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let linked = shown(&[("FORCE_HYPERLINK", "1")]).unwrap();
    let file = folder.path("ordinary.sql").canonicalize().unwrap();
    assert!(
        linked.contains(&format!("\u{1b}]8;;file://{}\u{1b}\\ordinary.sql:", file.display())),
        "{linked:?}"
    );
    assert!(linked.contains("\u{1b}]8;;https://"), "{linked:?}");
    // The rules of the table lead to their pages too.
    let fixed = linked.split("fixed by the rewrite").nth(1).unwrap();
    assert!(fixed.contains("\u{1b}]8;;https://"), "{linked:?}");
    assert!(!shown(&[("FORCE_HYPERLINK", "0")]).unwrap().contains("\u{1b}]8"));
}

#[test]
fn a_diff_is_in_colour_on_terminals_and_plain_elsewhere() {
    let folder = Folder::new();
    let plain = folder.run(&["rewrite", "-q", "--diff", "schema.sql"]).out;
    assert!(!plain.contains('\u{1b}'));
    let painted = folder.run(&["rewrite", "-q", "--diff", "--color", "always", "schema.sql"]).out;
    assert!(painted.contains("\u{1b}[31m-") && painted.contains("\u{1b}[32m+"), "{painted:?}");
    let codes = ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[36m", "\u{1b}[1m", "\u{1b}[0m", "\u{1b}[2m"];
    assert_eq!(codes.iter().fold(painted, |text, code| text.replace(code, "")), plain);
    assert!(!folder.run(&["rewrite", "-q", "--color", "always", "schema.sql"]).out.contains('\u{1b}'));
}

#[test]
fn what_the_rewrite_removes_is_a_loss_and_said_once() {
    let folder = Folder::new();
    folder.write("roles.sql", "CREATE ROLE r;\nALTER ROLE r SET default_tablespace TO 'fast';\n");
    let shown = folder.run(&["check", "roles.sql", "--no-config"]).out;
    assert_eq!(shown.matches("TSP-06").count(), 1, "{shown}");
    assert!(shown.contains("you will lose\n  TSP-06") && !shown.contains("what changes"), "{shown}");
}
