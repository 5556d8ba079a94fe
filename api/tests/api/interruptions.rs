//! Ctrl-C of a command that had started its own PostgreSQL.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::program::{DataDir, Program};
use crate::server::lead;

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
    let sync = awc::Client::default().post(format!("{}/api/leads/sync", program.address));
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
    assert!(matches!(ended(child).await, Some(130)));
    assert!(!runs(&data.path()));
    drop(out);

    // While PostgreSQL starts.
    let child = command(&data.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !runs(&data.path()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(ended(child).await, Some(130));
    assert!(!runs(&data.path()));

    // And the next one works, and stops it, too.
    let said = actix_web::web::block(move || command(&data.path()).output().map(|said| (said, data))).await;
    let (said, data) = said.unwrap().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(crate::exports::rows(&said.stdout).len() as u64, LEADS);
    assert!(!runs(&data.path()));
}
