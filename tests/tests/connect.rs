//! Connections as libpq takes them, on real servers: TLS, sockets, several servers, poolers.

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tsmigrate::connect::pooler::{self, Pooler};
use tsmigrate::connect::{Connector, Session, Side};
use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::program::program;

type Outcome = Result<(), Box<dyn Error>>;

/// What an error says; a result that is none fails the test.
fn refused<T>(result: Result<T, tsmigrate::error::Error>) -> Result<String, Box<dyn Error>> {
    match result {
        Ok(_) => Err("it was not refused".into()),
        Err(error) => Ok(error.to_string()),
    }
}

async fn open(text: &str) -> Result<Session, tsmigrate::error::Error> {
    Connector::new(Side::Source, text)?.open().await
}

fn runtime() -> Result<tokio::runtime::Runtime, std::io::Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn port(uri: &str) -> Result<&str, &'static str> {
    let port = uri.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split('/').next());
    port.ok_or("the lab's servers listen on loopback")
}

/// An authority, a server's certificate for `localhost` alone, and one for the user `certified`.
struct Certificates {
    authority: String,
    server: (String, String),
    user: (String, String),
    stranger: String,
}

fn certificates() -> Result<Certificates, Box<dyn Error>> {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate()?)
    };
    let (ours, stranger) = (authority()?, authority()?);
    let signed = |params: CertificateParams| -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &ours)?.pem(), key.serialize_pem()))
    };
    let mut user = CertificateParams::new(Vec::new())?;
    user.distinguished_name.push(rcgen::DnType::CommonName, "certified");
    Ok(Certificates {
        authority: ours.pem(),
        server: signed(CertificateParams::new(vec!["localhost".to_owned()])?)?,
        user: signed(user)?,
        stranger: stranger.pem(),
    })
}

/// Writes a file into the server's own folder, by the server itself.
async fn put(session: &Session, name: &str, text: &str) -> Result<(), tsmigrate::error::Error> {
    session
        .run(&format!(
            "DO $do$ BEGIN EXECUTE format('COPY (SELECT unnest(string_to_array(%L, E''\\n''))) TO %L', $text${text}$text$, \
             pg_catalog.current_setting('data_directory') || '/{name}'); END $do$; \
             COPY (SELECT 1 WHERE false) TO PROGRAM 'chmod 600 {name}'"
        ))
        .await
}

/// Turns TLS on, with rules of access by user.
async fn with_tls(session: &Session, certificates: &Certificates) -> Result<(), tsmigrate::error::Error> {
    put(session, "server.crt", &certificates.server.0).await?;
    put(session, "server.key", &certificates.server.1).await?;
    put(session, "root.crt", &certificates.authority).await?;
    put(
        session,
        "pg_hba.conf",
        "local all all trust\nhostssl all certified all cert\nhostnossl all plain_only all trust\n\
         host all plain_only all reject\nhostssl all tls_only all trust\nhost all tls_only all reject\n\
         host all scrammed all scram-sha-256\nhost all all all trust",
    )
    .await?;
    for sql in [
        "ALTER SYSTEM SET ssl_ca_file = 'root.crt'",
        "ALTER SYSTEM SET ssl = on",
        "CREATE ROLE certified LOGIN; CREATE ROLE plain_only LOGIN; CREATE ROLE tls_only LOGIN; \
         CREATE ROLE scrammed LOGIN PASSWORD 'pass word'",
        "SELECT pg_catalog.pg_reload_conf()",
    ] {
        session.run(sql).await?;
    }
    Ok(())
}

const ENCRYPTED: &str = "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()";

#[test]
fn tls_is_checked_as_sslmode_says() -> Outcome {
    let Some(lab) = Lab::start_or_skip("tls_is_checked_as_sslmode_says", &[Server::Source17])? else {
        return Ok(());
    };
    let port = port(lab.uri(Server::Source17)?)?;
    let certificates = certificates()?;
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> Result<String, std::io::Error> {
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(path.to_string_lossy().into_owned())
    };
    let ours = file("ours.crt", &certificates.authority)?;
    let stranger = file("stranger.crt", &certificates.stranger)?;
    let pinned = file("pinned.crt", &certificates.server.0)?;
    let (cert, key) = (file("user.crt", &certificates.user.0)?, file("user.key", &certificates.user.1)?);
    let of = |user: &str, host: &str, rest: &str| {
        format!("host={host} hostaddr=127.0.0.1 port={port} user={user} dbname=postgres {rest}")
    };
    let at = |host: &str, rest: &str| of("postgres", host, rest);
    runtime()?.block_on(async {
        with_tls(&open(lab.uri(Server::Source17)?).await?, &certificates).await?;
        let limit = Instant::now() + Duration::from_secs(20);
        while open(&at("localhost", "sslmode=require")).await.is_err() && Instant::now() < limit {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let encrypted = async |text: String| -> Result<Option<String>, tsmigrate::error::Error> {
            open(&text).await?.ask_one(ENCRYPTED).await
        };
        for (text, expected) in [
            (at("127.0.0.1", "sslmode=disable"), "f"),
            (at("127.0.0.1", ""), "t"),
            (at("127.0.0.1", "sslmode=require"), "t"),
            (at("127.0.0.1", &format!("sslmode=require sslrootcert={ours}")), "t"),
            (at("127.0.0.1", &format!("sslmode=verify-ca sslrootcert={ours}")), "t"),
            (at("localhost", &format!("sslmode=verify-full sslrootcert={ours}")), "t"),
            (at("localhost", &format!("sslmode=verify-full sslrootcert={pinned}")), "t"),
            (at("localhost", &format!("sslmode=verify-full sslrootcert={ours} sslnegotiation=direct")), "t"),
            (at("localhost", "sslmode=require ssl_min_protocol_version=TLSv1.3"), "t"),
            (at("localhost", "sslmode=require ssl_max_protocol_version=TLSv1.2"), "t"),
            // What one kind of connection is refused is tried as the other, as libpq does.
            (of("plain_only", "127.0.0.1", "sslmode=prefer"), "f"),
            (of("tls_only", "127.0.0.1", "sslmode=allow"), "t"),
            (of("postgres", "127.0.0.1", "sslmode=allow"), "f"),
            (
                of("scrammed", "localhost", "sslmode=require channel_binding=require password='pass word'"),
                "t",
            ),
            (of("certified", "localhost", &format!("sslmode=require sslcert={cert} sslkey={key}")), "t"),
        ] {
            let found = encrypted(text.clone()).await.map_err(|error| format!("{text}: {error}"))?;
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
        for (text, part) in [
            (at("127.0.0.1", &format!("sslmode=verify-full sslrootcert={ours}")), "not valid for name"),
            (at("127.0.0.1", &format!("sslmode=verify-full sslrootcert={pinned}")), "not valid for name"),
            (at("localhost", &format!("sslmode=verify-full sslrootcert={stranger}")), "certificate"),
            (at("localhost", &format!("sslmode=verify-ca sslrootcert={stranger}")), "certificate"),
            (at("localhost", &format!("sslmode=require sslrootcert={stranger}")), "certificate"),
            (at("localhost", "sslmode=verify-full sslrootcert=/nowhere"), "/nowhere do not exist"),
            (at("localhost", "sslmode=require sslrootcert=system"), "needs sslmode=verify-full"),
            (at("localhost", "sslmode=verifyfull"), "sslmode is one of"),
            (at("localhost", &format!("sslmode=require sslcert={cert}")), "sslkey"),
            (of("plain_only", "127.0.0.1", "sslmode=require"), "rejects"),
            (of("tls_only", "127.0.0.1", "sslmode=disable"), "rejects"),
            (of("certified", "localhost", "sslmode=require"), "valid client certificate"),
            (
                of("scrammed", "localhost", "sslmode=disable channel_binding=require password='pass word'"),
                "channel",
            ),
        ] {
            let said = refused(open(&text).await).map_err(|why| format!("{text}: {why}"))?;
            assert!(said.contains(part), "{text}: {said}");
        }
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        let text = of("certified", "localhost", &format!("sslmode=require sslcert={cert} sslkey={key}"));
        assert!(refused(open(&text).await)?.contains("open to others"));
        Ok(())
    })
}

#[test]
fn a_socket_and_the_second_of_several_servers_are_reached() -> Outcome {
    let test = "a_socket_and_the_second_of_several_servers_are_reached";
    let Some(lab) = Lab::start_or_skip(test, &[Server::Source17, Server::Target17])? else { return Ok(()) };
    let port = port(lab.uri(Server::Source17)?)?;
    let socket = lab.folder().join("source17/run");
    runtime()?.block_on(async {
        let local = format!("host={} port={port} user=postgres dbname=postgres sslmode=require", socket.display());
        let session = open(&local).await?;
        let local = "SELECT client_addr IS NULL FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()";
        assert_eq!(session.ask_one(local).await?.as_deref(), Some("t"));
        let several = format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{port}/postgres?connect_timeout=5");
        for attributes in ["any", "read-write", "primary", "prefer-standby"] {
            let connector =
                Connector::new(Side::Source, &format!("{several}&target_session_attrs={attributes}"))?;
            connector.open().await?;
            let conninfo = connector.endpoint().conninfo(None);
            assert!(conninfo.contains(&format!("host='127.0.0.1' port='{port}'")), "{conninfo}");
        }
        for attributes in ["standby", "read-only"] {
            let said = refused(open(&format!("{several}&target_session_attrs={attributes}")).await)?;
            assert!(said.contains("127.0.0.1:1: ") && said.contains(&format!("127.0.0.1:{port}: ")), "{said}");
        }
        let said = refused(open(&format!("{several}&target_session_attrs=leader")).await)?;
        assert!(said.contains("target_session_attrs is one of"), "{said}");
        let mut connector = Connector::new(Side::Source, lab.uri(Server::Source17)?)?;
        connector.named("tsmigrate 1a2b3c");
        let name = connector.open().await?.ask_one("SHOW application_name").await?;
        assert_eq!(name.as_deref(), Some("tsmigrate 1a2b3c"));
        Ok::<_, Box<dyn Error>>(())
    })?;
    // pg_dump goes where our own sessions went.
    let output = program()
        .args(["migrate", "--dry-run", "--pg-bin"])
        .arg(lab.programs()?)
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("SOURCE", format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{port}/postgres"))
        .env("TARGET", lab.uri(Server::Target17)?)
        .output()?;
    assert!(output.status.success(), "{output:?}");
    Ok(())
}

#[test]
fn a_password_is_told_of_where_others_see_it_and_shown_nowhere() -> Outcome {
    let test = "a_password_is_told_of_where_others_see_it_and_shown_nowhere";
    let Some(lab) = Lab::start_or_skip(test, &[Server::Source17, Server::Target17])? else { return Ok(()) };
    let runtime = runtime()?;
    runtime.block_on(async {
        let admin = open(lab.uri(Server::Source17)?).await?;
        let hba = "local all all trust\nhost all all all scram-sha-256";
        put(&admin, "pg_hba.conf", hba).await?;
        admin.run("ALTER ROLE postgres PASSWORD 'hunter2secret'").await?;
        admin.run("SELECT pg_catalog.pg_reload_conf()").await?;
        Ok::<_, Box<dyn Error>>(())
    })?;
    let port = port(lab.uri(Server::Source17)?)?;
    let good = format!("postgres://postgres:hunter2secret@127.0.0.1:{port}/postgres");
    let wrong = format!("postgres://postgres:hunter2wrong@127.0.0.1:{port}/postgres");
    let target = lab.uri(Server::Target17)?;
    let secret = target.split(':').nth(2).and_then(|rest| rest.split('@').next()).ok_or("no password")?;
    let run = |source: &str, argument: bool| {
        let mut command = program();
        command.args(["migrate", "--dry-run", "--pg-bin"]).arg(lab.programs()?).env("TARGET", target);
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        if argument {
            command.args(["--source", source]);
        } else {
            command.env("SOURCE", source);
        }
        let output = command.output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!said.contains("hunter2") && !said.contains(secret), "{said}");
        // Where a line is broken is a matter of its terminal.
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok::<_, Box<dyn Error>>((output.status.code(), said))
    };
    let (code, said) = run(&good, false)?;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("list of processes"), "{said}");
    let (code, said) = run(&good, true)?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("holds a password, which others can read in the list of processes"), "{said}");
    let (code, said) = run(&wrong, false)?;
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "error: cannot connect to the source postgres@",
        "cause: ERROR 28P01",
        "next: correct it in ~/.pgpass",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    every_failure_has_its_cause_and_a_way_on(&lab, port)?;
    let (code, said) = run("postgres://postgres@127.0.0.1/postgres?passwrd=hunter2", false)?;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("libpq knows no parameter passwrd; did you mean password?"), "{said}");
    Ok(())
}

/// Of all commands, as text and as JSON.
fn every_failure_has_its_cause_and_a_way_on(lab: &Lab, port: &str) -> Outcome {
    let target = lab.uri(Server::Target17)?;
    let passwords = lab.folder().join("passwords");
    fs::write(&passwords, "*:*:*:*:hunter2secret\n")?;
    fs::set_permissions(&passwords, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let open = format!("postgres://postgres@127.0.0.1:{port}/postgres?passfile={}", passwords.display());
    let good = format!("postgres://postgres:hunter2secret@127.0.0.1:{port}");
    for (source, cause, next) in [
        (
            "postgres://postgres@127.0.0.1:1/x".to_owned(),
            "Connection refused",
            "pg_isready -h 127.0.0.1 -p 1",
        ),
        (
            "postgres://postgres@no.such.host.invalid/x".to_owned(),
            "lookup",
            "getent hosts no.such.host.invalid",
        ),
        (format!("{good}/nowhere"), "3D000", "-d postgres -l"),
        (format!("{good}/postgres?sslmode=require"), "TLS", "sslmode=disable"),
        (open, "password missing", "chmod 0600"),
        ("postgres://postgres@h/x?sslmode=verify-full".to_owned(), "root certificate", "sslrootcert"),
    ] {
        for command in [&["verify"][..], &["migrate", "--dry-run"], &["check", &source]] {
            let json = matches!(command[0], "verify" | "migrate");
            let mut run = program();
            run.args(command).env("SOURCE", &source).env("TARGET", target).current_dir(lab.folder());
            if json {
                run.args(["--format", "json"]);
            }
            let output = run.output()?;
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            let said = String::from_utf8_lossy(&[output.stdout.clone(), output.stderr].concat()).into_owned();
            assert!(!said.contains("hunter2"), "{said}");
            let (why, steps) = if json {
                let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
                (report["cause"].to_string(), report["next"].to_string())
            } else {
                let (before, steps) = said.split_once("next:").ok_or_else(|| said.clone())?;
                let (_, why) = before.split_once("cause:").ok_or_else(|| said.clone())?;
                (why.to_owned(), steps.to_owned())
            };
            assert!(why.contains(cause) && steps.contains(next), "{command:?} {cause}: {said}");
        }
    }
    Ok(())
}

/// A running PgBouncer.
struct Bouncer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bouncer(program: &Path, server: &str, mode: &str, pool: usize) -> Result<Bouncer, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let file = folder.path().join("pgbouncer.ini");
    let of = self::port(server)?;
    let text = format!(
        "[databases]\n* = host=127.0.0.1 port={of} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {pool}\n\
         query_wait_timeout = 20\n"
    );
    fs::write(&file, text)?;
    // It refuses to be root, and reads its file before it is somebody else.
    let child = Command::new(program)
        .args(["-q", "-u", "nobody"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let bouncer = Bouncer { child, port, _folder: folder };
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(bouncer);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err("pgbouncer does not listen".into())
}

/// Whatever command is refused: who gets the pool's backend next has no setting of ours.
fn nothing_stays_with_a_pool(lab: &Lab, bouncer: &Bouncer) -> Outcome {
    let through = format!("postgres://postgres@127.0.0.1:{}/postgres", bouncer.port);
    let psql = |sql: &str| -> Result<String, Box<dyn Error>> {
        let output =
            Command::new(lab.programs()?.join("psql")).args(["-XqAt", "-c", sql, &through]).output()?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned())
    };
    let settings = "SELECT concat_ws('; ', current_setting('search_path'), \
        current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('row_security'))";
    psql("ALTER SYSTEM SET statement_timeout = '77s'")?;
    psql("SELECT pg_reload_conf()")?;
    let before = psql(settings)?;
    assert!(before.contains("77s"), "{before}");
    let target = lab.uri(Server::Target17)?;
    let dump = tempfile::NamedTempFile::with_suffix(".sql")?;
    fs::write(dump.path(), "CREATE TABLE a (b int);")?;
    let dump = dump.path().to_string_lossy().into_owned();
    for (arguments, source, target) in [
        (&["migrate", "--dry-run"][..], through.as_str(), target),
        (&["migrate", "--dry-run"][..], target, through.as_str()),
        (&["check", &dump, "--target", &through][..], through.as_str(), target),
        (&["check", &through][..], through.as_str(), target),
        (&["verify"][..], through.as_str(), target),
        (&["cleanup"][..], target, through.as_str()),
    ] {
        let mut command = program();
        command.args(arguments).env("SOURCE", source).env("TARGET", target);
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        let output = command.output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains("there is a connection pooler in front of"), "{arguments:?}: {said}");
        assert_eq!(psql(settings)?, before, "{arguments:?}");
    }
    psql("ALTER SYSTEM RESET statement_timeout")?;
    psql("SELECT pg_reload_conf()").map(drop)
}

#[test]
fn a_pooler_in_between_is_recognised() -> Outcome {
    let test = "a_pooler_in_between_is_recognised";
    let Some(lab) = Lab::start_or_skip(test, &[Server::Source17, Server::Target17])? else { return Ok(()) };
    let program_of_it = lab.programs()?.join("pgbouncer");
    if !program_of_it.exists() {
        skipped(test, "servers from outside have no pgbouncer beside them");
        return Ok(());
    }
    let server = lab.uri(Server::Source17)?;
    runtime()?.block_on(async {
        let connector = Connector::new(Side::Source, server)?;
        for _ in 0..5 {
            assert_eq!(pooler::find(&connector).await?, None, "a server itself");
        }
        for (mode, pool, expected) in [
            ("transaction", 1, Pooler::Transactions),
            ("transaction", 20, Pooler::Transactions),
            ("statement", 20, Pooler::Transactions),
            ("session", 20, Pooler::Sessions),
        ] {
            let bouncer = bouncer(&program_of_it, server, mode, pool)?;
            let through = format!("postgres://postgres@127.0.0.1:{}/postgres", bouncer.port);
            let connector = Connector::new(Side::Source, &through)?;
            assert_eq!(pooler::find(&connector).await?, Some(expected), "{mode} {pool}");
            if expected == Pooler::Transactions {
                assert!(connector.open().await.is_err(), "no session of ours");
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    nothing_stays_with_a_pool(&lab, &bouncer(&program_of_it, server, "transaction", 1)?)?;
    let bouncer = bouncer(&program_of_it, server, "session", 30)?;
    let run = |arguments: &[&str]| {
        let mut command = program();
        command.args(["migrate", "--dry-run", "--pg-bin"]).arg(lab.programs()?).args(arguments);
        command
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("TARGET", lab.uri(Server::Target17)?);
        command.env("SOURCE", format!("postgres://postgres@127.0.0.1:{}/postgres", bouncer.port));
        let output = command.output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok::<_, Box<dyn Error>>((output.status.code(), said))
    };
    let (code, said) = run(&[])?;
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("there is a connection pooler in front of the source"), "{said}");
    let (code, said) = run(&["--accept", pooler::SESSIONS])?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}
