//! The real program `leadlog` as a child process, with a managed PostgreSQL of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A data folder that PostgreSQL's user can enter; stops the database that lives in it when dropped.
pub(crate) struct DataDir {
    folder: TempDir,
}

/// A running `leadlog serve`.
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl DataDir {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("leadlog-api-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// Its path, which does not exist before the first start.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Kills the postmaster as a power cut would.
    pub(crate) fn kill_postgres(&self) {
        let Ok(file) = std::fs::read_to_string(self.path().join("cluster/postmaster.pid")) else { return };
        let Some(pid) = file.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw)
        else {
            return;
        };
        let _ = kill_process(pid, Signal::KILL);
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Joining and releasing stops a server that a killed program left behind.
        if let Ok(cluster) = managed_postgres::Cluster::start(&self.path()) {
            let _ = cluster.release();
        }
    }
}

impl Program {
    /// Starts it and waits until it listens.
    pub(crate) fn serve(data_dir: &Path, listen: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(["serve", "--listen", listen, "--data-dir"]).arg(data_dir).env_remove("DATABASE_URL");
        Self::start(command)
    }

    /// A token for the store in this folder, as somebody at the server gets it.
    pub(crate) async fn token(data_dir: &Path, scope: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(["tokens", "issue", "--scope", scope, "--data-dir"]).arg(data_dir);
        let output = actix_web::web::block(move || command.env_remove("DATABASE_URL").output().unwrap());
        String::from_utf8(output.await.unwrap().stdout).unwrap().trim_end().to_owned()
    }

    /// Starts it on a database that somebody else runs, and waits until it listens.
    pub(crate) fn serve_on(database_url: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("DATABASE_URL", database_url);
        Self::start(command)
    }

    /// The same, with its log in a file.
    pub(crate) fn serve_on_logging(database_url: &str, log: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("DATABASE_URL", database_url);
        Self::start_logging(command, std::fs::File::create(log).unwrap())
    }

    /// Starts it on its own database, logging all that it can into a file.
    pub(crate) fn serve_tracing(data_dir: &Path, listen: &str, log: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(["serve", "--log", "trace", "--listen", listen, "--data-dir"]).arg(data_dir);
        command.env_remove("DATABASE_URL");
        Self::start_logging(command, std::fs::File::create(log).unwrap())
    }

    pub(crate) fn start(command: Command) -> Self {
        Self::start_logging(command, Stdio::null())
    }

    pub(crate) fn start_logging(mut command: Command, log: impl Into<Stdio>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says where it listens").unwrap();
        let address = first.strip_prefix("listening on ").expect("the stable first line").to_owned();
        // Keep reading, so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ctrl-C, and waits; true when it ended well.
    pub(crate) fn interrupt(mut self) -> bool {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap().success()
    }
}

/// A test that fails leaves nothing running.
impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) is_success: bool,
    pub(crate) out: String,
    pub(crate) error: String,
}

/// Runs `leadlog` with these arguments on a database, while everything else goes on.
pub(crate) async fn leadlog(database_url: &str, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(args).env("DATABASE_URL", database_url);
    let output = actix_web::web::block(move || command.output().unwrap()).await.unwrap();
    Said {
        is_success: output.status.success(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
