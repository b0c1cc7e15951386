use std::collections::BTreeMap;

use super::super::{Check, Kept, Without};
use super::*;
use crate::inspect::{Facts, Timescale};
use crate::names::Relation;
use crate::results::Finding;

fn object(says: &[(&str, &str)]) -> Object {
    let says = says.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Object { owner: Some("app".into()), says, ..Object::default() }
}

fn catalog(major: u32, objects: &[(&str, &str, Object)]) -> Catalog {
    let objects = objects
        .iter()
        .map(|(kind, name, object)| (((*kind).to_owned(), (*name).to_owned()), object.clone()))
        .collect();
    Catalog { major, objects, ..Catalog::default() }
}

fn run(source: &Catalog, target: &Catalog, findings: Vec<Finding>, options: &VerifyOptions) -> Verification {
    run_with(source, target, findings, options, None)
}

fn run_with(
    source: &Catalog,
    target: &Catalog,
    findings: Vec<Finding>,
    options: &VerifyOptions,
    kept: Option<&Kept>,
) -> Verification {
    let hypertables = vec![Relation::new("m", "h")];
    let facts = |major| Facts {
        version_num: major * 10000,
        user: "tsdbadmin".into(),
        timescale: Some(Timescale { hypertables: hypertables.clone(), ..Timescale::default() }),
        ..Facts::default()
    };
    let expect = Expect {
        source: &facts(source.major),
        target: &facts(target.major),
        rows: &BTreeMap::new(),
        skipped: &BTreeSet::new(),
        sequences: &BTreeMap::new(),
        findings,
        kept,
        seen: None,
        jobs_wait: false,
    };
    compare(source, target, &expect, options, (&Selection::default(), None))
}

fn found(verification: &Verification) -> Vec<String> {
    verification.differences.iter().map(|one| format!("{} {}", one.kind, one.object)).collect()
}

#[test]
fn a_setting_of_the_database_that_was_announced_is_no_difference() {
    let says = [("", "session_replication_role=replica")];
    let source = catalog(17, &[("database setting", "session_replication_role", object(&says))]);
    let lost = Some("setting session_replication_role of database g".into());
    let told = Finding { lost, ..finding("error", "database g", true) };
    let options = VerifyOptions::from(Check::Full);
    assert!(found(&run(&source, &catalog(17, &[]), vec![told], &options)).is_empty());
    for other in
        [None, Some("setting session_replication_role of role app"), Some("SET session_replication_role")]
    {
        let told = Finding { lost: other.map(Into::into), ..finding("error", "role app", true) };
        assert_eq!(
            found(&run(&source, &catalog(17, &[]), vec![told], &options)),
            ["database setting session_replication_role"]
        );
    }
}

#[test]
fn a_comment_goes_with_what_it_is_on_and_a_schema_of_a_publication_with_the_publication() {
    let comment = |on: &str| ("comment", on.to_owned(), object(&[("", "a comment")]));
    let objects = [
        comment("on view public.v"),
        comment("on view column public.v.a"),
        comment("on function public.f(integer)"),
        comment("on event trigger ev"),
        comment("on view public.w"),
        ("publication schema", "ps in p".to_owned(), object(&[])),
    ];
    let source: Vec<_> =
        objects.iter().map(|(kind, name, object)| (*kind, name.as_str(), object.clone())).collect();
    let source = catalog(17, &source);
    let lost = |of: &str| Finding { lost: Some(of.into()), ..finding("error", of, true) };
    let told = ["view public.v", "function public.f", "event trigger ev"].map(lost).into_iter();
    let told: Vec<_> = told.chain([finding("warning", "publication p", true)]).collect();
    let options = VerifyOptions::from(Check::Full);
    assert_eq!(found(&run(&source, &catalog(17, &[]), told, &options)), ["comment on view public.w"]);
    assert_eq!(found(&run(&source, &catalog(17, &[]), Vec::new(), &options)).len(), objects.len());
}

fn finding(severity: &'static str, object: &str, solved: bool) -> Finding {
    Finding {
        rule: "X-01".into(),
        severity,
        part: "pre-data",
        line: 1,
        object: Some(object.into()),
        message: Box::default(),
        solved,
        accepted: false,
        lost: None,
        advice: None,
        cause: None,
        view: None,
    }
}

#[test]
fn a_definition_that_changed_is_named_by_what_of_it() {
    let table = |options: &str| object(&[("options", options), ("persistence", "logged")]);
    let source = catalog(15, &[("table", "app.t", table("fillfactor=70"))]);
    let target = catalog(17, &[("table", "app.t", table("fillfactor=80"))]);
    let verification = run(&source, &target, Vec::new(), &Check::Full.into());
    assert_eq!(found(&verification), ["table options app.t"]);
    assert_eq!(verification.differences[0].expected.as_deref(), Some("fillfactor=70"));
}

#[test]
fn a_warning_takes_nothing_away_and_a_rewrite_does_not_excuse_what_is_missing() {
    let source = catalog(17, &[("table", "app.t", object(&[("bound", "a")]))]);
    let other = catalog(17, &[("table", "app.t", object(&[("bound", "b")]))]);
    let none = catalog(17, &[]);
    let options = &Check::Full.into();
    let run = |target, finding| run(&source, target, vec![finding], options).differences.len();
    assert_eq!(run(&none, finding("warning", "table app.t", false)), 1);
    assert_eq!(run(&none, finding("error", "table app.t", true)), 1);
    assert_eq!(run(&none, finding("error", "table app.t", false)), 0);
    assert_eq!(run(&other, finding("error", "table app.t", true)), 0);
    assert_eq!(run(&other, finding("warning", "table app.t", false)), 1);
    assert_eq!(run(&other, finding("error", "table app.other", true)), 1);
}

#[test]
fn an_announcement_is_about_one_name() {
    let lost = |object: &str| finding("error", object, false);
    let of = |kind: &str, name: &str, finding| {
        let source = catalog(17, &[(kind, name, object(&[]))]);
        run(&source, &catalog(17, &[]), vec![finding], &Check::Full.into()).differences.len()
    };
    assert_eq!(of("table", "\"a.b\".c", lost("table \"a.b\".c")), 0);
    assert_eq!(of("table", "a.\"b.c\"", lost("table \"a.b\".c")), 1);
    // The analyzer quotes every keyword, a server only those that are reserved.
    assert_eq!(of("table", "app.name", lost("table app.\"name\"")), 0);
    assert_eq!(of("trigger", "\"t on x\" on app.t", lost("table app.t")), 0);
    assert_eq!(of("trigger", "\"t on app.x\" on app.y", lost("table app.x")), 1);
    assert_eq!(of("column", "app.\"t.u\".c", lost("table app.t")), 1);
    assert_eq!(of("role", "\"a in b\"", lost("role a in b")), 0);
}

#[test]
fn what_is_lost_of_an_object_does_not_excuse_the_object_nor_its_other_parts() {
    let missing = |kind: &str, name: &str, object: &str, lost: &str| {
        let told = Finding { lost: Some(lost.into()), ..finding("error", object, true) };
        let source = catalog(17, &[(kind, name, self::object(&[]))]);
        run(&source, &catalog(17, &[]), vec![told], &Check::Full.into()).differences.len()
    };
    let trigger = ("trigger tg on app.hosts", "trigger tg on app.hosts");
    assert_eq!(missing("trigger", "tg on app.hosts", trigger.0, trigger.1), 0);
    assert_eq!(missing("trigger", "other on app.hosts", trigger.0, trigger.1), 1);
    assert_eq!(missing("index", "app.i on app.hosts", trigger.0, trigger.1), 1);
    assert_eq!(missing("policy", "p on app.hosts", trigger.0, trigger.1), 1);
    assert_eq!(missing("table", "app.hosts", trigger.0, trigger.1), 1);
    let fillfactor = ("table app.hosts", "storage parameter fillfactor of table app.hosts");
    assert_eq!(missing("table", "app.hosts", fillfactor.0, fillfactor.1), 1);
    assert_eq!(missing("index", "app.i on app.hosts", fillfactor.0, fillfactor.1), 1);
    let table = ("table app.hosts", "table app.hosts");
    assert_eq!(missing("table", "app.hosts", table.0, table.1), 0);
    assert_eq!(missing("index", "app.i on app.hosts", table.0, table.1), 0);
    let comment = ("extension hll", "comment on extension hll");
    assert_eq!(missing("comment", "on extension hll", comment.0, comment.1), 0);
    assert_eq!(missing("extension", "hll", comment.0, comment.1), 1);
    let privileges = ("role app", "default privileges of app");
    assert_eq!(missing("role", "app", privileges.0, privileges.1), 1);
    let member = ("membership of app in x", "membership of app in x");
    assert_eq!(missing("membership", "app in x", member.0, member.1), 0);
}

#[test]
fn what_is_changed_of_an_object_does_not_excuse_what_else_differs() {
    let function = |settings: &str, body: &str| format!("CREATE FUNCTION app.f()\n{settings}AS $${body}$$");
    let ours = function(" SET a TO '1'\n SET b TO '2'\n", "x");
    let differs =
        |kind: &str, name: &str, (expected, has): (&str, &str), (object, lost): (&str, Option<&str>)| {
            let told = Finding { lost: lost.map(Into::into), ..finding("error", object, true) };
            let (kind, says) = kind.split_once(": ").unwrap_or((kind, ""));
            let of = |value: &str| match says {
                "owner" => Object { owner: Some(value.to_owned()), ..Object::default() },
                "privileges" => {
                    Object { privileges: [("r".into(), value.to_owned(), false)].into(), ..Object::default() }
                }
                _ => self::object(&[(says, value)]),
            };
            let catalogs = [expected, has].map(|value| catalog(17, &[(kind, name, of(value))]));
            run(&catalogs[0], &catalogs[1], vec![told], &Check::Full.into()).differences.len()
        };
    let lost = "setting a of function app.f";
    let setting = (lost, Some(lost));
    let without = |body| function(" SET b TO '2'\n", body);
    assert_eq!(differs("function: definition", "app.f()", (&ours, &without("x")), setting), 0);
    assert_eq!(differs("function: definition", "app.f()", (&ours, &without("y")), setting), 1);
    assert_eq!(differs("function: definition", "app.f()", (&ours, &function("", "x")), setting), 1);
    assert_eq!(differs("function: owner", "app.f()", ("app", "tsdbadmin"), setting), 1);
    assert_eq!(differs("function: privileges", "app.f()", ("EXECUTE", "x"), setting), 1);
    let quoted = function(" SET \"x.a\" TO '1'\n", "x");
    let custom = ("function app.f", Some("setting x.a of function app.f"));
    assert_eq!(differs("function: definition", "app.f()", (&quoted, &function("", "x")), custom), 0);
    // A rewrite of the whole, which keeps owners.
    let rewritten = ("function app.f", None);
    assert_eq!(differs("function: definition", "app.f()", (&ours, "another"), rewritten), 0);
    assert_eq!(differs("function: owner", "app.f()", ("app", "tsdbadmin"), rewritten), 1);
    // A lost trigger is not its table, nor a role's privileges the role.
    let trigger = ("trigger tg on app.t", Some("trigger tg on app.t"));
    for part in ["options", "row security", "replica identity", "owner", "privileges"] {
        assert_eq!(differs(&format!("table: {part}"), "app.t", ("a", "b"), trigger), 1, "{part}");
    }
    let fillfactor = ("table app.t", Some("storage parameter fillfactor of table app.t"));
    assert_eq!(differs("table: options", "app.t", ("a", "b"), fillfactor), 0);
    assert_eq!(differs("table: row security", "app.t", ("a", "b"), fillfactor), 1);
    let heap = ("table app.t", Some("access method m of table app.t: it is a heap table"));
    assert_eq!(differs("table: access method", "app.t", ("m", "heap"), heap), 0);
    assert_eq!(differs("table: options", "app.t", ("a", "b"), heap), 1);
    let owner = ("schema app", Some("owner x of schema app"));
    assert_eq!(differs("schema: owner", "app", ("x", "tsdbadmin"), owner), 0);
    let granted = ("table app.t", Some("privileges of r on table app.t"));
    assert_eq!(differs("table: privileges", "app.t", ("SELECT", "INSERT"), granted), 0);
    for object in ["default privileges of app", "membership in app", "role app"] {
        assert_eq!(differs("role: login", "app", ("yes", "no"), (object, None)), 1, "{object}");
    }
    let superuser = ("role app", Some("BYPASSRLS of role app"));
    assert_eq!(differs("role: createdb", "app", ("yes", "no"), superuser), 1);
    let publication = ("publication p", Some("tables to come in publication p: add each to it"));
    assert_eq!(differs("publication: tables", "p", ("all", "t"), publication), 0);
}

#[test]
fn a_function_that_is_lost_excuses_one_of_its_name() {
    let lost = |line| Finding {
        lost: Some("function app.f".into()),
        line,
        ..finding("error", "function app.f", true)
    };
    let functions: Vec<_> =
        ["app.f(integer)", "app.f(text)"].map(|name| ("function", name, object(&[]))).into();
    let source = catalog(17, &functions);
    let differences =
        |told: Vec<Finding>| run(&source, &catalog(17, &[]), told, &Check::Full.into()).differences.len();
    assert_eq!(differences(vec![lost(1)]), 1);
    // Two rules say it of one statement.
    assert_eq!(differences(vec![lost(1), lost(1)]), 1);
    assert_eq!(differences(vec![lost(1), lost(2)]), 0);
}

#[test]
fn what_only_the_target_has_is_never_announced() {
    let target = catalog(17, &[("table", "app.t", object(&[]))]);
    let findings = vec![finding("error", "table app.t", false)];
    let verification = run(&catalog(17, &[]), &target, findings, &Check::Full.into());
    assert_eq!(found(&verification), ["table app.t"]);
}

#[test]
fn paused_jobs_are_equal_while_a_migration_has_them_paused() {
    let job = |scheduled: &str| object(&[("scheduled", scheduled), ("schedule", "1 day")]);
    let source = catalog(17, &[("job", "1000 x", job("yes"))]);
    let target = catalog(17, &[("job", "1000 x", job("no"))]);
    let migration = VerifyOptions::from(Check::Full);
    assert!(found(&run(&source, &target, Vec::new(), &migration)).is_empty());
    let alone = VerifyOptions { scheduled: true, ..migration };
    assert_eq!(found(&run(&source, &target, Vec::new(), &alone)), ["job scheduled 1000 x"]);
}

#[test]
fn an_extension_may_be_newer_but_for_timescaledb() {
    let version = |version: &str| object(&[("version", version)]);
    let extensions = |v: &str| {
        catalog(17, &[("extension", "citext", version(v)), ("extension", "timescaledb", version(v))])
    };
    let verification = run(&extensions("1"), &extensions("2"), Vec::new(), &Check::Full.into());
    assert_eq!(found(&verification), ["extension version timescaledb"]);
    assert_eq!(verification.announced.len(), 1);
}

#[test]
fn chunks_with_other_numbers_are_compared_by_their_ranges() {
    let chunk = "app.m [1, 2)";
    let with = |name: &str| {
        let table = format!("_timescaledb_internal.{name}");
        let mut catalog = catalog(
            17,
            &[("chunk", chunk, object(&[("state", "compressed")])), ("table", &table, object(&[]))],
        );
        let relation = Relation { schema: "_timescaledb_internal".into(), name: name.into() };
        catalog.chunks.insert(chunk.into(), relation);
        catalog
    };
    let options = &Check::Full.into();
    assert!(
        found(&run(&with("_hyper_1_1_chunk"), &with("_hyper_2_7_chunk"), Vec::new(), options)).is_empty()
    );
    let mut other = with("_hyper_2_7_chunk");
    other.objects.remove(&("chunk".to_owned(), chunk.to_owned()));
    other.chunks.clear();
    let lost = found(&run(&with("_hyper_1_1_chunk"), &other, Vec::new(), options));
    assert!(lost.contains(&format!("chunk {chunk}")), "{lost:?}");
}

#[test]
fn constraints_that_only_18_names_are_left_out_before_it() {
    let named = [("not-null constraint", "n on app.t", object(&[]))];
    let options = &Check::Full.into();
    assert!(found(&run(&catalog(17, &[]), &catalog(18, &named), Vec::new(), options)).is_empty());
    assert_eq!(
        found(&run(&catalog(18, &named), &catalog(18, &[]), Vec::new(), options)),
        ["not-null constraint n on app.t"]
    );
}

#[test]
fn what_stayed_behind_as_asked_for_is_not_compared() {
    let table = |owner: &str| Object { owner: Some(owner.into()), ..Object::default() };
    let source = catalog(
        17,
        &[
            ("table", "app.t", table("app")),
            ("role", "app", object(&[])),
            ("comment", "on table app.t", object(&[])),
        ],
    );
    let target = catalog(17, &[("table", "app.t", table("other"))]);
    let without = Without { roles: true, comments: true, ..Without::default() };
    let options = VerifyOptions { without, ..Check::Full.into() };
    let verification = run(&source, &target, Vec::new(), &options);
    assert!(found(&verification).is_empty());
    assert!(verification.notes[0].starts_with("roles, owners, privileges, comments stayed behind"));
    assert_eq!(found(&run(&source, &target, Vec::new(), &Check::Full.into())).len(), 3);
}

#[test]
fn hypertables_and_jobs_have_their_owners_unless_the_target_refused() {
    let owned = |owner: &str| Object { owner: Some(owner.into()), ..object(&[]) };
    let things = |owner: &str| {
        catalog(
            17,
            &[
                ("table", "m.h", owned(owner)),
                ("table", "m.plain", owned("app")),
                ("table", "_timescaledb_internal._hyper_1_1_chunk", owned(owner)),
                ("job", "1000 policy_retention on m.h", owned(owner)),
            ],
        )
    };
    let verify = |found_owner: &str, kept: Option<&Kept>| {
        let options = VerifyOptions::from(Check::Full);
        let all = run_with(&things("app"), &things(found_owner), Vec::new(), &options, kept);
        (found(&all).len(), all.announced.len())
    };
    let refused = Kept { owners: ["app".to_owned()].into(), jobs: [1000].into() };
    let others = Kept { owners: ["other".to_owned()].into(), jobs: [1001].into() };
    assert_eq!(verify("app", Some(&others)), (0, 0));
    assert_eq!(verify("tsdbadmin", Some(&others)), (3, 0), "a migration hands them over");
    assert_eq!(verify("tsdbadmin", Some(&refused)), (0, 3), "it said that it could not");
    assert_eq!(verify("tsdbadmin", None), (0, 3), "a dump that was restored leaves them");
    assert_eq!(verify("other", None), (3, 0));
    assert_eq!(verify("other", Some(&refused)), (3, 0));
}

#[test]
fn kinds_have_plurals() {
    assert_eq!(plural("policy"), "policies");
    assert_eq!(plural("index"), "indexes");
    assert_eq!(plural("default privileges"), "default privileges");
    assert_eq!(plural("continuous aggregate"), "continuous aggregates");
}
