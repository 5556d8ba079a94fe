//! A command that is told to end: it gets a moment to do so by itself, and takes its PostgreSQL along.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use managed_postgres::{Cluster, ReleaseError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::stop_signal::StopSignal;

/// How long a command may take to end by itself after Ctrl-C.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Status of a process that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

/// The command's share in the PostgreSQL that this program runs itself, if it is one. Whoever ends the command releases it.
#[derive(Clone)]
pub(super) struct Share(Arc<Mutex<Option<Cluster>>>);

impl Share {
    pub(super) fn new(cluster: Option<Cluster>) -> Self {
        Self(Arc::new(Mutex::new(cluster)))
    }

    /// Waits for whoever releases it at this moment.
    pub(super) fn release(&self) -> Result<(), ReleaseError> {
        let mut cluster = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.take().map_or(Ok(()), |cluster| cluster.release().map(drop))
    }
}

/// What makes a command end at a signal. It gets a moment to do so by itself; a thread that hangs in a write (into a pipe
/// that nobody reads) hears of nothing, and is not waited for.
pub(super) struct Interruption {
    came: watch::Receiver<bool>,
    guard: JoinHandle<()>,
}

impl Interruption {
    pub(super) fn of(mut stop: StopSignal, share: Share) -> Self {
        let (tell, came) = watch::channel(false);
        let guard = tokio::spawn(async move {
            stop.received().await;
            tell.send_replace(true);
            tokio::time::sleep(END_TIMEOUT).await;
            let released = tokio::task::spawn_blocking(move || share.release()).await;
            if let Ok(Err(error)) = released {
                eprintln!("leadlog: {error}");
            }
            std::process::exit(INTERRUPTED);
        });
        Self { came, guard }
    }

    /// Waits for the signal; ready at once when it has come.
    pub(super) async fn came(&mut self) {
        // Its sender is gone only when the guard is, which ends the process itself.
        if self.came.wait_for(|came| *came).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends nothing any more.
    pub(super) fn forget(self) {
        self.guard.abort();
    }
}
