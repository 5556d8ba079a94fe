//! Who starts, who uses, who may stop: two lock files (`flock`), which the kernel lets go when a process
//! dies, however it dies. PostgreSQL does not inherit them, because Rust opens files close-on-exec.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// Held while this process starts or stops the server of a data folder.
#[derive(Debug)]
pub(crate) struct StartLock {
    _file: File,
}

/// Held while this process uses the server of a data folder.
#[derive(Debug)]
pub(crate) struct UseLock {
    file: File,
}

impl StartLock {
    /// Waits for it; `None` after `limit`.
    pub(crate) fn take(data_dir: &Path, limit: Duration) -> io::Result<Option<Self>> {
        let file = open(&data_dir.join("start.lock"))?;
        let deadline = Instant::now() + limit;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(None),
                Err(TryLockError::WouldBlock) => thread::sleep(POLL),
            }
        }
    }
}

impl UseLock {
    /// Never waits: the lock is exclusive only under a [`StartLock`], which the caller holds.
    pub(crate) fn share(data_dir: &Path, _start: &StartLock) -> io::Result<Self> {
        let file = open(&data_dir.join("use.lock"))?;
        file.lock_shared()?;
        Ok(Self { file })
    }

    /// Whether nobody else uses the server. Lets go of the share either way.
    pub(crate) fn is_last(&self, _start: &StartLock) -> io::Result<bool> {
        self.file.unlock()?;
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}
