//! Who PostgreSQL runs as, and doing things as that user.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ServiceUserError;

/// The user that PostgreSQL runs as. For an ordinary user that is the user itself. PostgreSQL refuses
/// root, so for root it is the owner of the cluster if there is one, else `LEADLOG_PG_USER`, else
/// `postgres`, else `nobody`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUser {
    name: String,
    uid: u32,
    gid: u32,
    /// Whether we are someone else (root) and must drop privileges.
    other: bool,
}

impl ServiceUser {
    /// Decides for the cluster at this path, which need not exist.
    ///
    /// # Errors
    /// See [`ServiceUserError`].
    pub fn for_cluster(cluster: &Path) -> Result<Self, ServiceUserError> {
        let me = rustix::process::geteuid();
        let owner = fs::symlink_metadata(cluster).ok();
        if !me.is_root() {
            return match owner {
                Some(owner) if owner.uid() != me.as_raw() => {
                    Err(ServiceUserError::ForeignCluster { cluster: cluster.to_owned(), owner: owner.uid() })
                }
                _ => Ok(Self {
                    name: "yourself".to_owned(),
                    uid: me.as_raw(),
                    gid: rustix::process::getegid().as_raw(),
                    other: false,
                }),
            };
        }
        match owner {
            Some(owner) if owner.uid() == 0 => {
                Err(ServiceUserError::RootCluster { cluster: cluster.to_owned() })
            }
            Some(owner) => Ok(Self {
                name: "of the cluster".to_owned(),
                uid: owner.uid(),
                gid: owner.gid(),
                other: true,
            }),
            None => Self::for_new_cluster(),
        }
    }

    fn for_new_cluster() -> Result<Self, ServiceUserError> {
        if let Ok(name) = env::var("LEADLOG_PG_USER")
            && !name.is_empty()
        {
            let problem = match Self::named(&name) {
                Some(user) if user.uid != 0 => return Ok(user),
                Some(_) => "that is root",
                None => "there is no such user",
            };
            return Err(ServiceUserError::Configured { name, problem });
        }
        ["postgres", "nobody"].into_iter().find_map(Self::named).ok_or(ServiceUserError::Nobody)
    }

    /// Asks `id`, which knows more directories of users than `/etc/passwd`.
    fn named(name: &str) -> Option<Self> {
        let ask = |flag: &str| -> Option<u32> {
            let output = Command::new("id").args([flag, "--", name]).stderr(Stdio::null()).output().ok()?;
            String::from_utf8_lossy(&output.stdout).trim().parse().ok()
        };
        Some(Self { name: name.to_owned(), uid: ask("-u")?, gid: ask("-g")?, other: true })
    }

    /// User id.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Group id.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// For messages.
    pub(crate) fn label(&self) -> String {
        format!("{} (id {})", self.name, self.uid)
    }

    /// Whether folders must be given to this user.
    pub(crate) fn is_other(&self) -> bool {
        self.other
    }

    /// A command that runs as this user (without supplementary groups, which `std` drops for root), in
    /// `folder`, and that takes no setting of PostgreSQL from our environment.
    pub(crate) fn command(&self, program: impl AsRef<Path>, folder: &Path) -> Command {
        let mut command = Command::new(program.as_ref());
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        // Messages are parsed and shown: keep them in one language.
        command.env("LC_ALL", "C").current_dir(folder).stdin(Stdio::null());
        // Ctrl-C at a terminal reaches the whole group: it must end neither the making of a cluster half-way nor what
        // waits for PostgreSQL to start or to stop. Our own process hears it, and ends when they are done.
        command.process_group(0);
        if self.other {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// The first folder on the way to `folder` that this user may not enter. Asked by trying, because
    /// mode bits are not all that decides.
    pub(crate) fn blocked_on_the_way_to(&self, folder: &Path) -> Option<PathBuf> {
        let can_enter = |path: &Path| {
            let entered =
                self.command("/bin/sh", Path::new("/")).args(["-c", "cd -- \"$1\"", "sh"]).arg(path).output();
            entered.is_ok_and(|output| output.status.success())
        };
        if !self.other || can_enter(folder) {
            return None;
        }
        let mut way: Vec<&Path> = folder.ancestors().collect();
        way.reverse();
        way.into_iter().find(|path| !can_enter(path)).map(Path::to_owned)
    }

    /// Replaces a file in a folder of this user, as this user: root writing there could be led astray
    /// by a link.
    pub(crate) fn replace_file(&self, folder: &Path, name: &str, contents: &str) -> io::Result<()> {
        let mut writer = self
            .command("/bin/sh", folder)
            .args([
                "-c",
                "umask 077 && rm -f \"$1.new\" && cat > \"$1.new\" && mv -f \"$1.new\" \"$1\"",
                "sh",
                name,
            ])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = writer.stdin.take() {
            stdin.write_all(contents.as_bytes())?;
        }
        let output = writer.wait_with_output()?;
        if output.status.success() {
            Ok(())
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }
}
