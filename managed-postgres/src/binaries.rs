//! Finding PostgreSQL's programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::BinariesError;

/// The oldest major version that is accepted.
pub const MIN_MAJOR: u32 = 14;

/// What a folder must hold to be one of PostgreSQL's.
const REQUIRED: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// Where packages put one folder per version; `*` stands for any ending of that path component.
const USUAL_FOLDERS: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql*/bin",
];

/// A folder with the programs of one PostgreSQL version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The binaries for a new cluster: `LEADLOG_PG_BIN` if set, else what `PATH` leads to, else the
    /// highest version in the usual folders.
    ///
    /// # Errors
    /// When there are none, with the command that installs them; or when `LEADLOG_PG_BIN` is wrong.
    pub fn find() -> Result<Self, BinariesError> {
        if let Some(folder) = env::var_os("LEADLOG_PG_BIN").filter(|value| !value.is_empty()) {
            return Self::configured(PathBuf::from(folder));
        }
        installed().into_iter().next().ok_or_else(|| BinariesError::Missing { install: install_command() })
    }

    /// The binaries for an existing cluster: PostgreSQL opens only what its own major version made.
    pub(crate) fn find_for(cluster: &Path, major: u32) -> Result<Self, BinariesError> {
        if let Some(folder) = env::var_os("LEADLOG_PG_BIN").filter(|value| !value.is_empty()) {
            let binaries = Self::configured(PathBuf::from(folder))?;
            if binaries.major == major {
                return Ok(binaries);
            }
        }
        installed()
            .into_iter()
            .find(|binaries| binaries.major == major)
            .ok_or_else(|| BinariesError::VersionMissing { cluster: cluster.to_owned(), major })
    }

    /// The folder that holds the programs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The major version, for example 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one of the programs, for example `pgbench`. It need not exist: distributions put
    /// some into packages of their own.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn configured(folder: PathBuf) -> Result<Self, BinariesError> {
        let problem = match Self::in_folder(&folder) {
            Some(binaries) if binaries.major >= MIN_MAJOR => return Ok(binaries),
            Some(binaries) => format!("version {} is too old, {MIN_MAJOR} is needed", binaries.major),
            None => "no PostgreSQL there".to_owned(),
        };
        Err(BinariesError::Configured { folder, problem })
    }

    /// Follows links (`/usr/local/bin/postgres` often is one), because the other programs lie beside
    /// the real ones.
    fn in_folder(folder: &Path) -> Option<Self> {
        let real = fs::canonicalize(folder.join("postgres")).ok()?;
        let folder = real.parent()?.to_owned();
        if !REQUIRED.iter().all(|name| folder.join(name).is_file()) {
            return None;
        }
        let output = Command::new(&real).arg("--version").output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { folder, major })
    }
}

/// The command that installs PostgreSQL on this machine.
pub fn install_command() -> String {
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
    let on_path = |name: &str| path_folders().iter().any(|folder| folder.join(name).is_file());
    if on_path("apt-get") {
        format!("{sudo}apt-get update && {sudo}apt-get install -y postgresql")
    } else if on_path("brew") {
        "brew install postgresql@17".to_owned()
    } else if on_path("dnf") {
        format!("{sudo}dnf install -y postgresql-server")
    } else if on_path("apk") {
        format!("{sudo}apk add postgresql")
    } else {
        "your system's package manager (the package is usually called postgresql)".to_owned()
    }
}

/// What is installed, in order of preference.
fn installed() -> Vec<Binaries> {
    let mut found: Vec<Binaries> =
        path_folders().iter().filter_map(|folder| Binaries::in_folder(folder)).collect();
    let mut usual: Vec<Binaries> = USUAL_FOLDERS
        .iter()
        .flat_map(|pattern| folders_like(pattern))
        .filter_map(|folder| Binaries::in_folder(&folder))
        .collect();
    usual.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    found.extend(usual);
    found.retain(|binaries| binaries.major >= MIN_MAJOR);
    found
}

fn path_folders() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

fn folders_like(pattern: &str) -> Vec<PathBuf> {
    let Some((head, tail)) = pattern.split_once('*') else { return Vec::new() };
    let Some((parent, prefix)) = head.rsplit_once('/') else { return Vec::new() };
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(tail.trim_start_matches('/')))
        .collect()
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` is 15, `… 18beta1` is 18.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("postgres (EnterpriseDB) x"), None);
    }

    #[test]
    fn expands_a_version_folder() {
        let root = tempfile::tempdir().unwrap();
        for name in ["15", "17", "other.txt"] {
            fs::create_dir_all(root.path().join("pg").join(name)).unwrap();
        }
        let mut found = folders_like(&format!("{}/pg/1*/bin", root.path().display()));
        found.sort();
        assert_eq!(found, [root.path().join("pg/15/bin"), root.path().join("pg/17/bin")]);
    }
}
