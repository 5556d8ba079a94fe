//! Ctrl-C and SIGTERM of a command, once and twice.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use event_store::{connect, migrate};
use managed_postgres::Cluster;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::program::{DataDir, Program};
use crate::server::lead;

/// Status of a process that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

/// More than a pipe holds, as CSV.
const LEADS: u64 = 800;

/// Of what a pipe holds on Linux, 64 KiB.
const ALMOST_FULL_BYTES: u64 = 60_000;

/// How long a command may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["export", "leads", "--data-dir"]).arg(data_dir).env_remove("DATABASE_URL");
    command
}

async fn ended(mut child: Child) -> Option<i32> {
    let ended = actix_web::web::block(move || child.wait().unwrap());
    tokio::time::timeout(PATIENCE, ended).await.expect("it ends").unwrap().code()
}

fn runs(data_dir: &Path) -> bool {
    data_dir.join("cluster/postmaster.pid").exists()
}

#[actix_web::test]
async fn a_command_that_is_interrupted_takes_the_postgresql_that_it_started_with_it() {
    let data = DataDir::new();
    let program = Program::serve(&data.path(), "127.0.0.1:0");
    let leads: Vec<_> = (1..=LEADS).map(lead).collect();
    let token = Program::token(&data.path(), "capture").await;
    let sync = awc::Client::default().post(format!("{}/api/leads/sync", program.address)).bearer_auth(token);
    assert!(sync.send_body(json!({ "entries": leads }).to_string()).await.unwrap().status().is_success());
    assert!(program.interrupt());
    assert!(!runs(&data.path()));

    // While it hangs in a write to a pipe that nobody reads, and hears nothing.
    let mut child = command(&data.path()).stdout(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    while rustix::io::ioctl_fionread(&out).unwrap() < ALMOST_FULL_BYTES {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(matches!(ended(child).await, Some(INTERRUPTED)));
    assert!(!runs(&data.path()));
    drop(out);

    // While PostgreSQL starts.
    let child = command(&data.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !runs(&data.path()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(ended(child).await, Some(INTERRUPTED));
    assert!(!runs(&data.path()));

    // And the next one works, and stops it, too.
    let said = actix_web::web::block(move || command(&data.path()).output().map(|said| (said, data))).await;
    let (said, data) = said.unwrap().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(crate::exports::rows(&said.stdout).len() as u64, LEADS);
    assert!(!runs(&data.path()));
}

fn export_quarantine(data_dir: &Path, out: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["quarantine", "export", "--out"]).arg(out).arg("--data-dir").arg(data_dir);
    command.env_remove("DATABASE_URL").stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// The first ends the export, and nothing lies about any more. The command then lets go of its PostgreSQL, which may take a
/// while; whoever will not wait for that ends it with the second.
#[actix_web::test]
async fn the_second_signal_ends_a_command_that_still_lets_go_of_its_database() {
    let data = DataDir::new();
    let cluster = Cluster::start(&data.path()).unwrap();
    let pool = connect(&cluster.url(), 2).await.unwrap();
    migrate(&pool).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let mut holder = pool.begin().await.unwrap();
        sqlx::query("LOCK TABLE quarantine IN ACCESS EXCLUSIVE MODE").execute(&mut *holder).await.unwrap();
        let mut export = export_quarantine(&data.path(), &folder.path().join("refused.csv"));
        let waits =
            "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'quarantine'::regclass";
        let begun = Instant::now();
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&pool).await.unwrap() {
            assert!(begun.elapsed() < PATIENCE, "it begins to read");
        }
        assert_eq!(files_in(folder.path()), 1, "it writes a part");
        // Somebody else is starting or stopping the same cluster.
        let busy = File::open(data.path().join("start.lock")).unwrap();
        busy.lock().unwrap();
        kill_process(Pid::from_child(&export), signal).unwrap();
        let begun = Instant::now();
        while files_in(folder.path()) > 0 {
            assert!(begun.elapsed() < PATIENCE, "it takes its part away");
            tokio::task::yield_now().await;
        }
        // Two that come at once are one: whoever presses Ctrl-C again does so until it has ended.
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = export.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it ends");
            kill_process(Pid::from_child(&export), signal).unwrap();
            tokio::task::yield_now().await;
        };
        assert_eq!((status.code(), status.signal()), (Some(INTERRUPTED), None));
        holder.rollback().await.unwrap();
    }
    event_store::close(&pool).await;
    cluster.release().unwrap();
}
