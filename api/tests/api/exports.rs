//! What goes in comes out, complete up to the moment of asking.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::program::leadlog;
use crate::server::{Server, lead, lead_with};

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rows of an export, by column name.
pub(crate) fn rows(csv: &[u8]) -> Vec<BTreeMap<String, String>> {
    let text = csv.strip_prefix("\u{feff}".as_bytes()).expect("a byte order mark, for Excel");
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text);
    reader.deserialize().map(|row| row.unwrap()).collect()
}

async fn export(server: &Server, path: &str) -> Vec<BTreeMap<String, String>> {
    let answer = server.get(path).await;
    assert_eq!((answer.status, answer.content_type.starts_with("text/csv")), (200, true));
    rows(&answer.body)
}

#[actix_web::test]
async fn what_was_confirmed_is_in_the_next_export() {
    let server = Server::start().await;
    for number in 1..=5 {
        server.sync(&[lead(number)]).await;
        let rows = export(&server, "/api/exports/leads.csv").await;
        assert_eq!(rows.len() as u64, number, "complete up to the moment of asking");
        assert!(rows.iter().any(|row| row["email"] == format!("anna{number}@example.com")));
    }
    let row = export(&server, "/api/exports/leads.csv").await.remove(0);
    assert_eq!((row["last_name"].as_str(), row["phone"].as_str()), ("Żółć", "+48501502503"));
    assert_eq!(row["captured_at"], "2026-05-23T14:03:11+02:00", "in the campaign's zone");
}

#[actix_web::test]
async fn contacts_are_deduplicated_and_keep_every_consent() {
    let server = Server::start().await;
    let marketing = json!({ "id": "marketing-email", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T15:00:00+02:00" });
    let again = lead_with(2, |lead| {
        lead["contact"]["email"] = "ANNA1@example.com".into();
        lead["consents"].as_array_mut().unwrap().push(marketing);
    });
    let refused = lead_with(3, |lead| lead["consents"] = json!([]));
    server.sync(&[lead(1), again, refused]).await;
    let contacts = export(&server, "/api/exports/contacts.csv?campaign=shootout-2026").await;
    assert_eq!(contacts.len(), 1);
    assert!(contacts[0]["consents"].contains("marketing-email"), "{:?}", contacts[0]);
}

#[actix_web::test]
async fn every_format_comes_with_its_type_its_head_and_its_number_of_rows() {
    let server = Server::start().await;
    server.sync(&[lead(1), lead(2), lead(3)]).await;
    for kind in ["leads", "contacts"] {
        for (ending, media_type) in [
            ("csv", "text/csv"),
            ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("ndjson", "application/x-ndjson"),
        ] {
            // As a browser asks; a workbook keeps its length, by which a cut one is noticed.
            let url = format!("{}/api/exports/{kind}.{ending}", server.address());
            let client = server.client();
            let mut answer = client.get(url).insert_header(("accept-encoding", "gzip")).send().await.unwrap();
            let header =
                |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert!(header("content-type").unwrap().starts_with(media_type));
            assert_eq!(
                (header("leadlog-rows"), header("leadlog-head")),
                (Some("3".into()), Some("3".into()))
            );
            let (length, name) = (header("content-length"), header("content-disposition").unwrap());
            assert!(name.contains(&format!("\"{kind}.{ending}\"")), "{name}");
            let body = answer.body().limit(1 << 20).await.unwrap();
            assert_eq!(length, (ending == "xlsx").then(|| body.len().to_string()));
        }
    }
    let one = server.get("/api/exports/leads.csv?delimiter=comma&bom=false&from=2026-05-23T12:00:00Z").await;
    assert!(one.body.starts_with(b"campaign,captured_at,"));
}

#[actix_web::test]
async fn a_head_has_the_status_and_the_headers_of_the_export_and_no_body() {
    let server = Server::start().await;
    server.sync(&[lead(1), lead(2)]).await;
    for file in ["leads.csv", "leads.xlsx", "contacts.ndjson"] {
        let path = format!("/api/exports/{file}");
        for name in ["content-type", "content-disposition", "cache-control", "leadlog-head", "leadlog-rows"] {
            let [get, head] = server.headers(&path, name).await;
            assert_eq!(get, head, "{name} of {file}");
        }
        let head = server.client().head(format!("{}{path}", server.address()));
        let mut answer = head.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().await.unwrap().len()), (200, 0));
    }
    for (path, status) in
        [("leads.csv?campain=a", 400), ("contacts.csv?campaign=nowhere", 400), ("leads.pdf", 404)]
    {
        let head = server.client().head(format!("{}/api/exports/{path}", server.address()));
        assert_eq!(head.send().await.unwrap().status().as_u16(), status, "{path}");
    }
}

#[actix_web::test]
async fn what_makes_no_sense_is_refused_and_named() {
    let server = Server::start().await;
    server.sync(&[lead(1)]).await;
    assert_eq!(export(&server, "/api/exports/leads.csv").await.len(), 1);
    for (path, status, named) in [
        ("leads.csv?campaign=a%20b", 400, "campaign"),
        ("leads.csv?campaign=", 400, "campaign"),
        ("leads.csv?campain=shootout-2026", 400, "campain"),
        ("leads.csv?campain=shootout-2026", 400, "`campaign`, `device`, `from`, `to`, `consent`"),
        ("leads.csv?campaign=shootout-2025", 400, "campaign; those that are known here are: shootout-2026"),
        (
            "contacts.csv?campaign=shootout-2025",
            400,
            "campaign; those that are known here are: shootout-2026",
        ),
        ("contacts.csv?consent=marketing", 400, "consent; the campaigns ask for: terms, marketing-email"),
        ("leads.ndjson?device=ipad-70", 400, "device; those with the newest leads here are: ipad-7"),
        ("contacts.ndjson?device=ipad-7", 400, "several"),
        // The plus of an offset is a space in a URL.
        ("leads.csv?from=2026-05-23T00:00:00+02:00", 400, "%2B"),
        ("leads.csv?from=2026-05-23T00:00:00Z&to=2026-05-23T00:00:00Z", 400, "earlier"),
        ("leads.csv?consent=", 400, "consent"),
        ("leads.xlsx?bom=false", 400, "csv alone"),
        ("leads.csv?delimiter=%3B", 400, "semicolon"),
    ] {
        let answer = server.get(&format!("/api/exports/{path}")).await;
        assert_eq!(
            (answer.status, &answer.json()["type"]),
            (status, &"urn:leadlog:problem:bad-parameter".into())
        );
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{path}: {detail}");
    }
    // What is known and has no rows is no mistake.
    for none in
        ["leads.csv?consent=marketing-phone", "contacts.csv?campaign=shootout-2026&to=2026-05-01T00:00:00Z"]
    {
        assert_eq!(export(&server, &format!("/api/exports/{none}")).await.len(), 0);
    }
    let answer = server.get("/api/exports/leads.pdf").await;
    assert_eq!((answer.status, &answer.json()["type"]), (404, &"urn:leadlog:problem:not-found".into()));
}

/// A lead, and many more straight into the projection.
async fn many_leads(server: &Server, leads: i32) {
    server.sync(&[lead(1)]).await;
    // A projection that begins empties its tables; after this one, it has begun.
    assert_eq!(export(server, "/api/exports/leads.csv").await.len(), 1);
    sqlx::query(
        r#"INSERT INTO leads (client_id, position, campaign_id, campaign_version, version, device_id, device_seq,
                              captured_at, captured_offset_minutes, recorded_at, first_name, last_name, email, phone,
                              operator, consents, flags)
           SELECT gen_random_uuid(), n, 'shootout-2026', 1, 1, 'ipad-7', n, now(), 120, now(), 'Anna', 'Żółć',
                  'anna' || n || '@example.com', '+48501502503', repeat('x', 200),
                  '[{"id":"terms","textVersion":1,"language":"pl","grantedAt":"2026-05-23T14:03:10+02:00"}]', '{}'
           FROM generate_series(2, $1) n"#,
    )
    .bind(leads)
    .execute(&server.pool)
    .await
    .unwrap();
}

#[actix_web::test]
async fn a_database_that_goes_away_in_the_middle_cuts_the_body() {
    for ending in ["csv", "ndjson"] {
        let server = Server::start().await;
        // More than sockets hold.
        many_leads(&server, 40_000).await;
        let address = server.address();
        let authorization = format!("authorization: Bearer {}", server.token);
        let request = format!(
            "GET /api/exports/leads.{ending} HTTP/1.1\r\nhost: a\r\n{authorization}\r\nconnection: close\r\n\r\n"
        );
        // Bytes as they come: what ends too early looks like an end to many a client.
        let (socket, begun) = actix_web::web::block(move || {
            let mut socket = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
            socket.write_all(request.as_bytes()).unwrap();
            let mut begun = vec![0; 64 * 1024];
            socket.read_exact(&mut begun).unwrap();
            (socket, begun)
        })
        .await
        .unwrap();
        let begun = String::from_utf8_lossy(&begun).into_owned();
        assert!(
            begun.contains("leadlog-rows: 40000\r\n") && begun.contains("transfer-encoding: chunked\r\n")
        );

        // Nobody gets a connection any more.
        drop(server.store.pool().close());
        let mut socket = socket;
        let rest = actix_web::web::block(move || {
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest);
            rest
        });
        assert!(!rest.await.unwrap().ends_with(b"\r\n0\r\n\r\n"), "the body has no end");
        let workbook = server.get("/api/exports/leads.xlsx").await;
        assert_eq!(
            (workbook.status, &workbook.json()["type"]),
            (503, &"urn:leadlog:problem:unavailable".into())
        );
    }
}

/// Runs `leadlog export leads` where no file may grow over a few kilobytes, as if the disk were full.
async fn export_to_a_full_disk(server: &Server, folder: &Path, name: &str) -> Output {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            r#"trap "" XFSZ; ulimit -f 8; exec "$0" "$@""#,
            env!("CARGO_BIN_EXE_leadlog"),
            "export",
            "leads",
        ])
        .args(["--out", name])
        .current_dir(folder)
        .env("DATABASE_URL", &server.database_url);
    actix_web::web::block(move || command.output().unwrap()).await.unwrap()
}

/// A pipe or a device is no file to be replaced, and a name that says something else is no CSV.
#[actix_web::test]
async fn what_is_no_file_is_written_to_and_a_link_stays_one() {
    let server = Server::start().await;
    many_leads(&server, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let export = async |out: &str| leadlog(&server.database_url, &["export", "leads", "--out", out]).await;

    let pipe = path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
    let written = export(&pipe).await;
    assert!(written.is_success, "{}", written.error);
    let read = actix_web::web::block(move || reader.wait_with_output().unwrap()).await.unwrap();
    assert!(read.stdout.starts_with("\u{feff}campaign;".as_bytes()));
    assert!(!std::fs::metadata(&pipe).unwrap().is_file());

    let (real, link) = (path("real.csv"), path("link.csv"));
    std::fs::write(&real, "yesterday's").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert!(export(&link).await.is_success);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read(&real).unwrap().starts_with("\u{feff}campaign;".as_bytes()));

    let refused = export(&path("leads.pdf")).await;
    assert!(!refused.is_success && refused.error.contains(".ndjson"), "{}", refused.error);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[actix_web::test]
async fn a_file_is_written_whole_or_not_at_all() {
    let server = Server::start().await;
    many_leads(&server, 2_000).await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["leads.csv", "leads.xlsx", "leads.ndjson"] {
        let path = folder.path().join(name);
        std::fs::write(&path, "yesterday's").unwrap();
        let failed = export_to_a_full_disk(&server, folder.path(), name).await;
        assert!(!failed.status.success(), "{name}");
        assert_eq!(std::fs::read(&path).unwrap(), b"yesterday's");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part lies about");

        let out = path.to_str().unwrap();
        let written = leadlog(&server.database_url, &["export", "leads", "--out", out]).await;
        assert!(written.is_success, "{}", written.error);
        let begins: &[u8] = match name {
            "leads.csv" => "\u{feff}campaign;".as_bytes(),
            "leads.xlsx" => b"PK",
            _ => b"{\"campaign\":",
        };
        assert!(std::fs::read(&path).unwrap().starts_with(begins), "the ending names the format");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
        std::fs::remove_file(&path).unwrap();
    }
}

/// From here on, whoever reads the rows of a lead waits for as long as the session holds the lock; who counts does not.
async fn hold_rows(server: &Server) -> PgConnection {
    let columns: String = sqlx::query_scalar(
        "SELECT string_agg(CASE attname WHEN 'operator' THEN 'held(operator) AS operator' ELSE attname END, ', ')
         FROM pg_attribute WHERE attrelid = 'leads'::regclass AND attnum > 0 AND NOT attisdropped",
    )
    .fetch_one(&server.pool)
    .await
    .unwrap();
    for statement in [
        "ALTER TABLE leads RENAME TO all_leads",
        "CREATE FUNCTION held(text) RETURNS text STABLE LANGUAGE plpgsql AS
         'BEGIN PERFORM pg_advisory_xact_lock_shared(''all_leads''::regclass::oid::bigint); RETURN $1; END'",
        &format!("CREATE VIEW leads AS SELECT {columns} FROM all_leads"),
    ] {
        sqlx::query(statement).execute(&server.pool).await.unwrap();
    }
    let mut holder = server.pool.acquire().await.unwrap().detach();
    sqlx::query("SELECT pg_advisory_lock('all_leads'::regclass::oid::bigint)")
        .execute(&mut holder)
        .await
        .unwrap();
    holder
}

/// Waits until so many exports wait for the rows that are held.
async fn held(server: &Server, exports: i64) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                   AND objid = 'all_leads'::regclass::oid AND classid = 0 AND objsubid = 1";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&server.pool).await.unwrap() != exports {
        tokio::task::yield_now().await;
    }
}

fn start_export(server: &Server, folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["export", "leads", "--out", "leads.csv"]).current_dir(folder);
    command.env("DATABASE_URL", &server.database_url).stderr(Stdio::null()).spawn().unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect()
}

#[actix_web::test]
async fn an_export_that_is_interrupted_leaves_nothing_behind_and_waits_for_no_database() {
    let server = Server::start().await;
    many_leads(&server, 100).await;
    let _holder = hold_rows(&server).await;
    let folder = tempfile::tempdir().unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = start_export(&server, folder.path());
        held(&server, 1).await;
        let [part] = &files(folder.path())[..] else { panic!("the part alone") };
        assert_eq!(std::fs::metadata(part).unwrap().permissions().mode() & 0o777, 0o600);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ended = actix_web::web::block(move || child.wait().unwrap());
        let ended = timeout(PATIENCE, ended).await.expect("it ends, although the database does not answer");
        assert_eq!(ended.unwrap().code(), Some(130), "it ends by itself, and says why");
        assert_eq!(files(folder.path()), [""; 0].map(PathBuf::from), "no part lies about");
        // The session of the one that has gone notices when it is let go.
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_locks
             WHERE locktype = 'advisory' AND NOT granted AND objid = 'all_leads'::regclass::oid",
        )
        .execute(&server.pool)
        .await
        .unwrap();
        held(&server, 0).await;
    }
}

#[actix_web::test]
async fn two_exports_to_one_file_do_not_harm_each_other() {
    let server = Server::start().await;
    many_leads(&server, 100).await;
    let mut holder = hold_rows(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let children = [start_export(&server, folder.path()), start_export(&server, folder.path())];
    held(&server, 2).await;
    assert_eq!(files(folder.path()).len(), 2, "each writes a part of its own");
    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut holder).await.unwrap();
    for mut child in children {
        assert!(actix_web::web::block(move || child.wait().unwrap()).await.unwrap().success());
    }
    assert_eq!(files(folder.path()), [folder.path().join("leads.csv")]);
    assert_eq!(rows(&std::fs::read(folder.path().join("leads.csv")).unwrap()).len(), 100);
}

#[actix_web::test]
async fn the_command_line_has_the_same_filters() {
    let server = Server::start().await;
    let other = lead_with(2, |lead| lead["deviceId"] = "ipad-8".into());
    server.sync(&[lead(1), other]).await;
    let filters = [
        "--campaign",
        "shootout-2026",
        "--device",
        "ipad-8",
        "--from",
        "2026-05-23T14:00:00+02:00",
        "--to",
        "2026-05-23T15:00:00+02:00",
        "--consent",
        "terms",
        "--format",
        "ndjson",
    ];
    let leads = leadlog(&server.database_url, &[&["export", "leads"][..], &filters].concat()).await;
    assert!(leads.is_success, "{}", leads.error);
    assert_eq!(
        (leads.out.lines().count(), leads.out.contains("anna2@example.com")),
        (1, true),
        "{}",
        leads.out
    );
    let contacts = leadlog(&server.database_url, &[&["export", "contacts"][..], &filters].concat()).await;
    assert!(!contacts.is_success && contacts.error.contains("several"), "{}", contacts.error);
}
