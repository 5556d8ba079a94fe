//! The server process of a cluster, as `postmaster.pid` and `/proc` tell of it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::ServiceUser;
use crate::folders::socket_file;

const PID_FILE: &str = "postmaster.pid";

/// Above every `pid_max`, so it names no process.
const NO_SUCH_PID: &str = "2147483647";

/// What `postmaster.pid` says. The process may be long gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postmaster {
    pub(crate) pid: u32,
    pub(crate) port: u16,
    pub(crate) socket_dir: PathBuf,
}

impl Postmaster {
    /// Reads the file; the socket folder is missing from it for the first moments of a start.
    pub(crate) fn recorded(cluster: &Path, default_socket_dir: &Path) -> Option<Self> {
        let text = fs::read_to_string(cluster.join(PID_FILE)).ok()?;
        let lines: Vec<&str> = text.lines().collect();
        let socket_dir = lines.get(4).filter(|line| !line.is_empty()).map_or(default_socket_dir, Path::new);
        Some(Self {
            pid: lines.first()?.trim().parse().ok()?,
            port: lines.get(3).and_then(|line| line.trim().parse().ok()).unwrap_or(crate::PORT),
            socket_dir: socket_dir.to_owned(),
        })
    }

    /// Whether the process lives and works on this cluster. A killed postmaster can stay behind as a
    /// zombie, and its number can be given to another process, so that a process with this number
    /// exists says nothing. `None` where there is no `/proc` to ask.
    pub(crate) fn is_alive(&self, cluster: &Path) -> Option<bool> {
        Path::new("/proc/self/stat").exists().then(|| works_on(self.pid, cluster))
    }

    /// Clears away what a dead postmaster left and what would keep PostgreSQL from starting: its
    /// number in `postmaster.pid`, if a zombie or stranger has that number now, and its socket.
    ///
    /// The file itself stays, because its last lines name the shared memory that PostgreSQL must find
    /// unused before it starts: surviving backends of the dead server would corrupt the data.
    pub(crate) fn clear_remains(&self, cluster: &Path, user: &ServiceUser) -> io::Result<()> {
        if let Ok(text) = fs::read_to_string(cluster.join(PID_FILE))
            && let Some((_, rest)) = text.split_once('\n')
        {
            user.replace_file(cluster, PID_FILE, &format!("{NO_SUCH_PID}\n{rest}"))?;
        }
        let socket = socket_file(&self.socket_dir, self.port);
        let mut lock = socket.clone().into_os_string();
        lock.push(".lock");
        for path in [socket, PathBuf::from(lock)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Every process that works on this cluster, postmaster or backend.
pub(crate) fn processes_on(cluster: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| works_on(*pid, cluster)).collect()
}

/// PostgreSQL's processes have the cluster as their working directory; a zombie has none.
fn works_on(pid: u32, cluster: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let works_in = identity(Path::new(&format!("/proc/{pid}/cwd")));
    works_in.is_some() && works_in == identity(cluster) && !is_zombie(pid)
}

/// The state is the first field after the name, which is in brackets and may hold anything.
fn is_zombie(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('Z' | 'X'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_file_of_a_start_that_is_not_done() {
        let cluster = tempfile::tempdir().unwrap();
        let default = Path::new("/somewhere");
        assert_eq!(Postmaster::recorded(cluster.path(), default), None);
        let write = |text: &str| fs::write(cluster.path().join(PID_FILE), text).unwrap();
        write("");
        assert_eq!(Postmaster::recorded(cluster.path(), default), None);
        write("42\n/data\n1779537791\n5555\n\n");
        let early = Postmaster { pid: 42, port: 5555, socket_dir: default.to_owned() };
        assert_eq!(Postmaster::recorded(cluster.path(), default), Some(early));
        write("42\n/data\n1779537791\n5555\n/sock\n\n  12 34\nready   \n");
        assert_eq!(Postmaster::recorded(cluster.path(), default).unwrap().socket_dir, Path::new("/sock"));
    }

    #[test]
    fn a_zombie_and_a_stranger_are_not_the_postmaster() {
        let cluster = tempfile::tempdir().unwrap();
        let mut child =
            std::process::Command::new("sleep").arg("600").current_dir(cluster.path()).spawn().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        // spawn() returns after exec, so the working directory is set.
        assert_eq!(processes_on(cluster.path()), [child.id()]);
        assert!(!works_on(child.id(), elsewhere.path()), "a stranger");
        child.kill().unwrap();
        while !is_zombie(child.id()) {
            std::thread::yield_now();
        }
        assert!(!works_on(child.id(), cluster.path()), "a zombie");
        child.wait().unwrap();
    }
}
