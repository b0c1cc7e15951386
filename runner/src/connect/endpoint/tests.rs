use std::io::Write;

use super::*;

fn with(text: &str, environment: &[(&str, &str)]) -> Result<Endpoint, String> {
    let find = |variable: &str| {
        environment.iter().find(|(name, _)| *name == variable).map(|(_, value)| (*value).to_owned())
    };
    Endpoint::resolve(text, &find)
}

fn parsed(text: &str) -> Endpoint {
    with(text, &[("PGPASSFILE", "/nowhere")]).expect("a valid connection string")
}

#[test]
fn a_uri_is_read_as_libpq_reads_it() {
    let endpoint = parsed(
        "postgres://us%40er:p%3Aw%25@[::1]:6000,db.example.com/my%20db?sslmode=verify-full&sslrootcert=/c.pem",
    );
    assert_eq!(endpoint.get("user"), Some("us@er"));
    assert_eq!(endpoint.password(), Some("p:w%"));
    let hosts: Vec<_> = endpoint.hosts().iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["[::1]:6000", "db.example.com:5432"]);
    assert_eq!(endpoint.database(), "my db");
    assert_eq!(endpoint.get("sslmode"), Some("verify-full"));
    assert!(parsed("postgresql://%2Frun%2Fx/d?host=/y").hosts()[0].is_socket());
}

#[test]
fn a_list_is_read_with_its_quotes() {
    let endpoint = parsed(r"host=h user = u password='it\'s a \\' dbname=d");
    assert_eq!(endpoint.password(), Some(r"it's a \"));
    assert_eq!(endpoint.conninfo(None), "user='u' dbname='d' host='h' port='5432'");
}

#[test]
fn the_environment_says_what_the_text_does_not() {
    let environment = [
        ("PGHOST", "h"),
        ("PGPORT", "7"),
        ("PGUSER", "u"),
        ("PGDATABASE", "d"),
        ("PGPASSWORD", "pw"),
        ("PGSSLMODE", "require"),
        ("PGOPTIONS", "-c geqo=off"),
        ("PGAPPNAME", "theirs"),
    ];
    let endpoint = with("dbname=other port=8", &environment).expect("valid");
    assert_eq!(endpoint.to_string(), "u@h:8/other");
    assert_eq!(endpoint.password(), Some("pw"));
    assert_eq!((endpoint.get("sslmode"), endpoint.get("options")), (Some("require"), Some("-c geqo=off")));
    assert!(
        !endpoint.conninfo(None).contains("geqo"),
        "others read arguments, and any setting may be a secret"
    );
    // An empty password in the text is one: the environment's is not taken in its place.
    assert_eq!(with("password=''", &environment).expect("valid").password(), None);
}

#[test]
fn a_service_comes_before_the_environment() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "[night]\nhost=service.example\nport=9\nuser=s").expect("written");
    let path = file.path().to_str().expect("a plain name");
    let environment =
        [("PGSERVICEFILE", path), ("PGHOST", "h"), ("PGDATABASE", "d"), ("PGPASSFILE", "/nowhere")];
    let endpoint = with("service=night user=u", &environment).expect("valid");
    assert_eq!(endpoint.to_string(), "u@service.example:9/d");
    assert!(!endpoint.conninfo(None).contains("service="), "{}", endpoint.conninfo(None));
    let error = with("service=day", &environment).expect_err("no such service");
    assert!(error.contains("no service day"), "{error}");
}

#[test]
fn what_libpq_does_not_know_is_named_without_its_value() {
    for (text, part) in [
        ("host=h passwrod=hunter2", "passwrod; did you mean password"),
        ("postgres://u@h/d?sslmod=hunter2", "did you mean sslmode"),
        ("postgres://u:hunter2/x@h/d", "percent-encode"),
        ("postgres://u:hunter2?x=1@h/d", "percent-encode"),
        ("postgres://u:12@Hunter2/w#rd@h:5432/d", "percent-encode"),
        ("postgres://u:12?Hunter2=1@h/d", "percent-encode"),
        ("host=h port=hunter2", "no number"),
        ("host=a,b hostaddr=127.0.0.1", "different numbers"),
        ("host=h hostaddr=hunter2", "no IP address"),
        ("host=h require_auth=hunter2", "require_auth is not supported"),
        ("hunter2", "neither"),
        ("postgres://u:hunter2%zz@h/d", "hexadecimal"),
    ] {
        let error = with(text, &[]).expect_err(text);
        assert!(error.contains(part) && !error.to_lowercase().contains("hunter2"), "{text}: {error}");
    }
}

#[test]
fn the_password_is_shown_nowhere() {
    let endpoint = parsed("postgres://u:hunter2@h:1/d");
    let said = endpoint.hide("FATAL: hunter2 is wrong");
    assert_eq!(said, "FATAL: *** is wrong");
    for text in [format!("{endpoint}"), format!("{endpoint:?}"), endpoint.conninfo(None)] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn each_server_has_its_own_password_and_the_one_that_answered_is_told_on() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "a:5432:*:u:one\nb:6:*:u:two").expect("written");
    let path = file.path().to_str().expect("a plain name");
    let text = "host=a,b port=5432,6 user=u dbname=d target_session_attrs=primary";
    let endpoint = with(text, &[("PGPASSFILE", path)]).expect("valid");
    assert_eq!(endpoint.password(), Some("one"));
    assert!(endpoint.conninfo(None).contains("host='a,b' port='5432,6' target_session_attrs='primary'"));
    endpoint.choose(1);
    assert_eq!(endpoint.password(), Some("two"));
    assert_eq!(endpoint.conninfo(None), "user='u' dbname='d' host='b' port='6'");
    assert_eq!(endpoint.password_file().as_deref(), Ok("*:*:*:*:two\n"));
}

#[test]
fn a_child_gets_the_passwords_of_the_servers_that_it_may_go_to() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "a:5432:*:u:one\nlocalhost:6:*:u:t\\:wo\nother:*:*:*:no").expect("written");
    let path = file.path().to_str().expect("a plain name");
    let endpoint = with("host=a,/tmp port=5432,6 user=u dbname=d", &[("PGPASSFILE", path)]).expect("valid");
    assert_eq!(endpoint.password_file().as_deref(), Ok("a:5432:*:*:one\nlocalhost:6:*:*:t\\:wo\n"));
    let endpoint = parsed("postgres://u:two%0Alines@h/d");
    assert!(endpoint.password_file().is_err_and(|why| why.contains("line break")));
    assert_eq!(parsed("postgres://u@h/d").password_file().as_deref(), Ok(""));
}
