//! Temporary folders, other processes that hold a cluster, and `psql`.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test, as the tests themselves do")]

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use managed_postgres::Cluster;
use rustix::process::{Pid, geteuid};

const LIMIT: Duration = Duration::from_secs(60);

/// A temporary folder that the user PostgreSQL runs as can pass through.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("leadlog-pg-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The data folder; the crate creates it.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("pg")
    }
}

/// Another process that uses the cluster of a folder. Dropping it lets it release and waits for it.
pub(crate) struct Holder {
    child: Child,
    stdout: RefCell<BufReader<ChildStdout>>,
}

impl Holder {
    pub(crate) fn spawn(folder: &Folder) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_managed-postgres"))
            .arg(folder.data())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = RefCell::new(BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdout }
    }

    pub(crate) fn start(folder: &Folder) -> Self {
        let holder = Self::spawn(folder);
        assert!(holder.url().starts_with("postgres://"));
        holder
    }

    /// Waits until it holds the cluster.
    pub(crate) fn url(&self) -> String {
        let mut line = String::new();
        self.stdout.borrow_mut().read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

pub(crate) fn psql_command(cluster: &Cluster, sql: &str) -> Command {
    psql_command_in(&cluster.url(), sql)
}

fn psql_command_in(url: &str, sql: &str) -> Command {
    let programs = managed_postgres::Binaries::find().unwrap();
    let mut command = Command::new(programs.program("psql"));
    command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).stderr(Stdio::null());
    command
}

pub(crate) fn psql(cluster: &Cluster, sql: &str) -> String {
    psql_in(cluster, managed_postgres::DATABASE, sql)
}

pub(crate) fn psql_in(cluster: &Cluster, database: &str, sql: &str) -> String {
    let url = cluster.url().replace("/leadlog?", &format!("/{database}?"));
    let output = psql_command_in(&url, sql).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn postmaster_of(cluster: &Cluster) -> Pid {
    Pid::from_raw(i32::try_from(cluster.postmaster_pid()).unwrap()).unwrap()
}

/// PostgreSQL's processes in this folder; a zombie has no working directory and is not counted.
pub(crate) fn running_pids(folder: &Folder) -> Vec<Pid> {
    let cluster = fs::canonicalize(folder.data().join("cluster")).unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == cluster))
        .filter_map(Pid::from_raw)
        .collect()
}

/// Makes orphans children of this process, which does not wait for them: a killed postmaster stays a
/// zombie, as it does in a container whose first process does not care.
pub(crate) fn become_subreaper() {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
}

pub(crate) fn am_root() -> bool {
    geteuid().is_root()
}

pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {LIMIT:?} until {what}");
        std::thread::yield_now();
    }
}

/// The child of a process that runs this program.
pub(crate) fn child_named(parent: u32, name: &str) -> Pid {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let mut pids = children.split_whitespace();
    let child = pids.find(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim() == name);
    Pid::from_raw(child.unwrap().parse().unwrap()).unwrap()
}
