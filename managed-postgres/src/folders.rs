//! The folders of one data folder: where they are, who owns them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::{PORT, ServiceUser, StartError};

/// Longest path of a Unix socket, in bytes, without the final NUL (`sun_path`).
const MAX_SOCKET_PATH_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The paths inside one data folder, absolute and without links.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    pub(crate) data_dir: PathBuf,
    pub(crate) cluster: PathBuf,
    pub(crate) new_cluster: PathBuf,
    pub(crate) log: PathBuf,
}

impl Folders {
    /// Where the cluster of a data folder is.
    pub(crate) fn cluster_in(data_dir: &Path) -> PathBuf {
        data_dir.join("cluster")
    }

    /// Creates the data folder if it is missing. What it creates on the way can be passed through by
    /// the user that PostgreSQL runs as, whatever the umask; what exists stays as it is.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StartError> {
        let absolute = std::path::absolute(data_dir).map_err(io("find", data_dir))?;
        create_with_parents(&absolute)?;
        let data_dir = fs::canonicalize(&absolute).map_err(io("open", &absolute))?;
        Ok(Self {
            cluster: Self::cluster_in(&data_dir),
            new_cluster: data_dir.join("cluster.new"),
            log: data_dir.join("log"),
            data_dir,
        })
    }

    /// Makes sure that the user can work here.
    pub(crate) fn hand_over(&self, user: &ServiceUser) -> Result<(), StartError> {
        if let Some(blocked) = user.blocked_on_the_way_to(&self.data_dir) {
            return Err(StartError::Unreachable {
                user: user.label(),
                blocked,
                data_dir: self.data_dir.clone(),
            });
        }
        private_folder(&self.log, user)
    }

    /// The folder for the socket: inside the data folder, or a short one made from a hash of its path
    /// when the socket's path would be too long or would need quoting in PostgreSQL's settings.
    pub(crate) fn socket_dir(&self, user: &ServiceUser) -> Result<PathBuf, StartError> {
        let inside = self.data_dir.join("socket");
        if is_plain(&inside) && socket_file(&inside, PORT).as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
            private_folder(&inside, user)?;
            return Ok(inside);
        }
        // Only root can put anything into /run; in /tmp anyone can, so the owner is checked below.
        let parent = if user.is_other() && Path::new("/run").is_dir() { "/run" } else { "/tmp" };
        let name = format!("leadlog-{}-{:016x}", user.uid(), fnv1a(self.data_dir.as_os_str().as_bytes()));
        let short = Path::new(parent).join(name);
        private_folder(&short, user)?;
        Ok(short)
    }
}

/// The socket that PostgreSQL makes in this folder.
pub(crate) fn socket_file(socket_dir: &Path, port: u16) -> PathBuf {
    socket_dir.join(format!(".s.PGSQL.{port}"))
}

/// Names an I/O error.
pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StartError {
    let path = path.to_owned();
    move |source| StartError::Io { action, path, source }
}

/// A folder that only this user may enter, created and given away if need be.
pub(crate) fn private_folder(path: &Path, user: &ServiceUser) -> Result<(), StartError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io("create", path)(error)),
        _ => {}
    }
    let taken = || StartError::SocketFolderTaken { path: path.to_owned(), owner: user.uid() };
    // By handle and without following a link, so that what was checked is what changes.
    let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits();
    let folder =
        OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path).map_err(|_| taken())?;
    let owner = folder.metadata().map_err(io("look at", path))?.uid();
    // Root's own: a start that was killed between creating it and giving it away.
    if owner == 0 && user.is_other() {
        fchown(&folder, Some(user.uid()), Some(user.gid())).map_err(io("give away", path))?;
    } else if owner != user.uid() {
        return Err(taken());
    }
    folder.set_permissions(Permissions::from_mode(0o700)).map_err(io("close to others", path))
}

/// Makes a rename inside this folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StartError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io("flush", path))
}

fn create_with_parents(path: &Path) -> Result<(), StartError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_with_parents(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(io("create", path)(error)),
        Ok(()) => {
            fs::set_permissions(path, Permissions::from_mode(0o711)).map_err(io("open to others", path))
        }
    }
}

fn is_plain(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte))
}

/// FNV-1a, 64 bits: the same in every build, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
