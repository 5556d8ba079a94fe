//! Ctrl-C and SIGTERM, twice.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use event_store::{connect, migrate};
use managed_postgres::Cluster;
use rustix::process::{Pid, Signal, kill_process};

use crate::program::DataDir;

/// Status of a process that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

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
        while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&pool).await.unwrap() {
            tokio::task::yield_now().await;
        }
        assert_eq!(files_in(folder.path()), 1, "it writes a part");
        // Somebody else is starting or stopping the same cluster.
        let busy = File::open(data.path().join("start.lock")).unwrap();
        busy.lock().unwrap();
        kill_process(Pid::from_child(&export), signal).unwrap();
        while files_in(folder.path()) > 0 {
            tokio::task::yield_now().await;
        }
        kill_process(Pid::from_child(&export), signal).unwrap();
        let status = export.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(INTERRUPTED), None));
        holder.rollback().await.unwrap();
    }
    pool.close().await;
    cluster.release().unwrap();
}
