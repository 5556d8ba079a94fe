//! A running PostgreSQL for one data folder.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use crate::folders::{Folders, io as io_error, private_folder, socket_file, sync_folder};
use crate::locks::{StartLock, UseLock};
use crate::postmaster::{Postmaster, processes_on};
use crate::session::Session;
use crate::{Binaries, BinariesError, DATABASE, ReleaseError, ServiceUser, StartError, server_log, settings};

/// Crash recovery replays at most `max_wal_size` (1 GB) of log; this is many times what that takes.
const START_LIMIT: Duration = Duration::from_secs(300);
/// How long backends of a killed server may take to notice. Idle ones notice at once.
const LINGER_LIMIT: Duration = Duration::from_secs(30);
/// How long a process that runs may stay unreachable before it is stopped (its socket is gone).
const UNREACHABLE_LIMIT: Duration = Duration::from_secs(5);
/// Longest wait for another process that starts or stops the same cluster.
const LOCK_LIMIT: Duration = Duration::from_secs(330);
const STOP_LIMIT_SECONDS: &str = "60";
const POLL: Duration = Duration::from_millis(50);

/// SQLSTATE "cannot connect now": the server is starting, recovering or stopping.
const CANNOT_CONNECT_NOW: &str = "57P03";
/// SQLSTATE of a database that does not exist.
const NO_SUCH_DATABASE: &str = "3D000";

/// A share in the running PostgreSQL of one data folder. Dropping it releases it, without telling about
/// errors; [`Cluster::release`] tells. A process that is killed lets go as well, and what it leaves
/// running is used by the next start.
#[derive(Debug)]
pub struct Cluster {
    folders: Folders,
    binaries: Binaries,
    user: ServiceUser,
    postmaster: Postmaster,
    in_use: Option<UseLock>,
}

/// What answers at the socket of a cluster.
enum Presence {
    Ready(Postmaster),
    /// It is there but lets nobody in yet, and this is what it says.
    NotYet(String),
    /// A process works on the cluster, but cannot be reached.
    Unreachable,
    Absent(Option<Postmaster>),
}

impl Cluster {
    /// Whether a cluster was made in this folder before.
    pub fn is_there(data_dir: &Path) -> bool {
        Folders::cluster_in(data_dir).exists()
    }

    /// Starts PostgreSQL on this folder, or joins the one that runs there. The first start creates the
    /// folder, the cluster and the database.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running that was not before.
    pub fn start(data_dir: &Path) -> Result<Self, StartError> {
        let folders = Folders::open(data_dir)?;
        let start = start_lock(&folders)?;
        let user = ServiceUser::for_cluster(&folders.cluster)?;
        folders.hand_over(&user)?;
        let binaries = match cluster_major(&folders.cluster)? {
            Some(major) => Binaries::find_for(&folders.cluster, major)?,
            None => Binaries::find()?,
        };
        let in_use =
            UseLock::share(&folders.data_dir, &start).map_err(io_error("lock", &folders.data_dir))?;
        if !folders.cluster.exists() {
            create_cluster(&folders, &binaries, &user)?;
        }
        let postmaster = bring_up(&folders, &binaries, &user)?;
        // Whole from here on: if the database cannot be created, dropping it stops what was started.
        let cluster = Self { folders, binaries, user, postmaster, in_use: Some(in_use) };
        let created = cluster.create_database();
        drop(start);
        created.map(|()| cluster)
    }

    /// Starts PostgreSQL again if it was killed meanwhile, and waits for it if it is recovering. Costs
    /// one short connection when all is well.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn ensure_running(&mut self) -> Result<(), StartError> {
        let _start = start_lock(&self.folders)?;
        self.postmaster = bring_up(&self.folders, &self.binaries, &self.user)?;
        Ok(())
    }

    /// Stops PostgreSQL (fast: open transactions are rolled back) if no other process uses this data
    /// folder, else leaves it to them. True when it was stopped.
    ///
    /// # Errors
    /// See [`ReleaseError`].
    pub fn release(mut self) -> Result<bool, ReleaseError> {
        self.let_go()
    }

    /// For sqlx and libpq.
    pub fn url(&self) -> String {
        let host = percent_encode(self.postmaster.socket_dir.as_os_str().as_bytes());
        format!("postgres://{DATABASE}@localhost:{}/{DATABASE}?host={host}", self.postmaster.port)
    }

    /// Process id of the server, for measurements.
    pub fn postmaster_pid(&self) -> u32 {
        self.postmaster.pid
    }

    /// The folder that holds the socket.
    pub fn socket_dir(&self) -> &Path {
        &self.postmaster.socket_dir
    }

    /// The folder that holds PostgreSQL's log files.
    pub fn log_dir(&self) -> &Path {
        &self.folders.log
    }

    /// The programs that this cluster runs with.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    fn create_database(&self) -> Result<(), StartError> {
        let socket = socket_file(&self.postmaster.socket_dir, self.postmaster.port);
        let result = match Session::open(&socket, DATABASE) {
            Err(error) if error.has_sqlstate(NO_SUCH_DATABASE) => Session::open(&socket, "postgres")
                .and_then(|mut session| session.query(&format!("CREATE DATABASE {DATABASE}")).map(|_| ())),
            other => other.map(|_| ()),
        };
        result.map_err(|error| StartError::CreateDatabase {
            data_dir: self.folders.data_dir.clone(),
            problem: error.to_string(),
        })
    }

    fn let_go(&mut self) -> Result<bool, ReleaseError> {
        let Some(in_use) = self.in_use.take() else { return Ok(false) };
        let data_dir = &self.folders.data_dir;
        let lock = |source: io::Error| ReleaseError::Lock { data_dir: data_dir.clone(), source };
        let start = StartLock::take(data_dir, LOCK_LIMIT).map_err(lock)?;
        let start = start.ok_or_else(|| lock(io::ErrorKind::TimedOut.into()))?;
        if !in_use.is_last(&start).map_err(lock)? {
            return Ok(false);
        }
        let recorded = Postmaster::recorded(&self.folders.cluster, &self.postmaster.socket_dir);
        let runs =
            recorded.is_some_and(|postmaster| postmaster.is_alive(&self.folders.cluster) != Some(false));
        if runs {
            stop(&self.folders, &self.binaries, &self.user)
                .map_err(|output| ReleaseError::Stop { data_dir: data_dir.clone(), output })?;
        }
        if !self.postmaster.socket_dir.starts_with(data_dir) {
            // Made again by the next start; not empty means that it is not only ours.
            let _ = fs::remove_dir(&self.postmaster.socket_dir);
        }
        Ok(true)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.let_go();
    }
}

fn start_lock(folders: &Folders) -> Result<StartLock, StartError> {
    let taken =
        StartLock::take(&folders.data_dir, LOCK_LIMIT).map_err(io_error("lock", &folders.data_dir))?;
    taken
        .ok_or_else(|| StartError::Busy { data_dir: folders.data_dir.clone(), seconds: LOCK_LIMIT.as_secs() })
}

fn cluster_major(cluster: &Path) -> Result<Option<u32>, StartError> {
    let path = cluster.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let major = text.trim().parse().map_err(|_| BinariesError::Configured {
                folder: path,
                problem: format!("{:?} is not a version", text.trim()),
            })?;
            Ok(Some(major))
        }
        Err(_) if !cluster.exists() => Ok(None),
        Err(error) => Err(io_error("read", &path)(error)),
    }
}

/// A cluster exists whole or not at all: it is made under another name and renamed.
fn create_cluster(folders: &Folders, binaries: &Binaries, user: &ServiceUser) -> Result<(), StartError> {
    match fs::remove_dir_all(&folders.new_cluster) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("remove", &folders.new_cluster)(error));
        }
        _ => {}
    }
    private_folder(&folders.new_cluster, user)?;
    let output = run(
        folders,
        binaries,
        user,
        "initdb",
        &[
            // Byte order: the same on every machine, so a dump restores anywhere.
            "--locale=C",
            "--encoding=UTF8",
            "--data-checksums",
            "--auth-local=trust",
            "--auth-host=reject",
            "--username",
            DATABASE,
            "--pgdata=cluster.new",
        ],
    )?;
    if !output.status.success() {
        return Err(StartError::Init { data_dir: folders.data_dir.clone(), output: text_of(&output) });
    }
    let main_file = folders.new_cluster.join("postgresql.conf");
    let defaults = fs::read_to_string(&main_file).map_err(io_error("read", &main_file))?;
    user.replace_file(&folders.new_cluster, "postgresql.conf", &(defaults + settings::INCLUDE))
        .map_err(io_error("write", &main_file))?;
    fs::rename(&folders.new_cluster, &folders.cluster).map_err(io_error("create", &folders.cluster))?;
    sync_folder(&folders.data_dir)
}

/// Joins the server that runs, or starts one, whatever was left behind. The caller holds the start lock.
fn bring_up(folders: &Folders, binaries: &Binaries, user: &ServiceUser) -> Result<Postmaster, StartError> {
    let socket_dir = folders.socket_dir(user)?;
    let begun = Instant::now();
    let mut unreachable_since = None;
    loop {
        let waited = begun.elapsed();
        match presence(folders, &socket_dir) {
            Presence::Ready(postmaster) => return Ok(postmaster),
            Presence::NotYet(problem) if waited > START_LIMIT => {
                return Err(StartError::NotReady {
                    data_dir: folders.data_dir.clone(),
                    seconds: waited.as_secs(),
                    problem,
                    log_dir: folders.log.clone(),
                });
            }
            Presence::NotYet(_) => unreachable_since = None,
            Presence::Unreachable => {
                if unreachable_since.get_or_insert_with(Instant::now).elapsed() > UNREACHABLE_LIMIT {
                    // It works on our cluster, so it is ours to stop, and nobody can reach it any more.
                    stop(folders, binaries, user).map_err(|problem| StartError::NotReady {
                        data_dir: folders.data_dir.clone(),
                        seconds: waited.as_secs(),
                        problem,
                        log_dir: folders.log.clone(),
                    })?;
                    unreachable_since = None;
                }
            }
            Presence::Absent(remains) => {
                if let Some(remains) = remains {
                    remains
                        .clear_remains(&folders.cluster, user)
                        .map_err(io_error("clear", &folders.cluster))?;
                }
                match launch(folders, binaries, user, &socket_dir)? {
                    Launch::Started => {}
                    Launch::BackendsLinger if waited > LINGER_LIMIT => {
                        let pids =
                            processes_on(&folders.cluster).iter().map(u32::to_string).collect::<Vec<_>>();
                        let pids = if pids.is_empty() { "unknown".to_owned() } else { pids.join(", ") };
                        return Err(StartError::LingeringBackends {
                            data_dir: folders.data_dir.clone(),
                            pids,
                        });
                    }
                    Launch::BackendsLinger => thread::sleep(POLL * 4),
                }
                continue;
            }
        }
        thread::sleep(POLL);
    }
}

/// Connects, because only an answer proves a server, and asks it for its folder.
fn presence(folders: &Folders, socket_dir: &Path) -> Presence {
    let recorded = Postmaster::recorded(&folders.cluster, socket_dir);
    let (dir, port) =
        recorded.as_ref().map_or((socket_dir, crate::PORT), |it| (it.socket_dir.as_path(), it.port));
    let answer = Session::open(&socket_file(dir, port), "postgres")
        .and_then(|mut session| session.query("SHOW data_directory"));
    let is_alive = recorded.as_ref().and_then(|postmaster| postmaster.is_alive(&folders.cluster));
    match (answer, recorded) {
        (Ok(Some(answered)), Some(postmaster)) if is_same_folder(Path::new(&answered), &folders.cluster) => {
            Presence::Ready(postmaster)
        }
        (Err(error), _) if error.has_sqlstate(CANNOT_CONNECT_NOW) => Presence::NotYet(error.to_string()),
        (Err(error), recorded) if error.is_absent() => match is_alive {
            Some(true) => Presence::Unreachable,
            Some(false) => Presence::Absent(recorded),
            // Without /proc nobody but PostgreSQL itself may judge what is in the file.
            None => Presence::Absent(None),
        },
        // It hung up, is full, or answers for another folder (its file is being replaced right now).
        (Err(error), _) => Presence::NotYet(error.to_string()),
        (Ok(answered), _) => Presence::NotYet(format!("its data_directory is {answered:?}")),
    }
}

enum Launch {
    Started,
    BackendsLinger,
}

fn launch(
    folders: &Folders,
    binaries: &Binaries,
    user: &ServiceUser,
    socket_dir: &Path,
) -> Result<Launch, StartError> {
    user.replace_file(&folders.cluster, settings::FILE, &settings::render(socket_dir))
        .map_err(io_error("write settings into", &folders.cluster))?;
    let startup_log = folders.log.join(server_log::STARTUP_LOG);
    match fs::remove_file(&startup_log) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("remove", &startup_log)(error));
        }
        _ => {}
    }
    // pg_ctl gives the server a session of its own. Its arguments pass through a shell; relative ones need no quoting.
    let limit = START_LIMIT.as_secs().to_string();
    let log = format!("log/{}", server_log::STARTUP_LOG);
    let output =
        run(folders, binaries, user, "pg_ctl", &["start", "-w", "-t", &limit, "-D", "cluster", "-l", &log])?;
    if output.status.success() {
        return Ok(Launch::Started);
    }
    let said = server_log::end_of(&startup_log).unwrap_or_default();
    if said.contains("pre-existing shared memory block") {
        return Ok(Launch::BackendsLinger);
    }
    let (log, tail) = server_log::tail(&folders.log);
    Err(StartError::Server { data_dir: folders.data_dir.clone(), log, tail })
}

fn stop(folders: &Folders, binaries: &Binaries, user: &ServiceUser) -> Result<(), String> {
    let arguments = ["stop", "-w", "-t", STOP_LIMIT_SECONDS, "-m", "fast", "-D", "cluster"];
    let output = user.command(binaries.program("pg_ctl"), &folders.data_dir).args(arguments).output();
    let output = output.map_err(|error| format!("cannot run pg_ctl: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(text_of(&output)) }
}

fn run(
    folders: &Folders,
    binaries: &Binaries,
    user: &ServiceUser,
    program: &str,
    arguments: &[&str],
) -> Result<Output, StartError> {
    let program = binaries.program(program);
    let output = user.command(&program, &folders.data_dir).args(arguments).output();
    output.map_err(|source| StartError::Spawn { program, source })
}

fn text_of(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).trim().to_owned()
}

fn is_same_folder(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| -> Option<PathBuf> { fs::canonicalize(path).ok() };
    real(a).is_some() && real(a) == real(b)
}

fn percent_encode(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
