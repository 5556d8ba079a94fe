//! A command that is told to end: it gets a moment to do so by itself, and takes its PostgreSQL along.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use managed_postgres::{Cluster, ReleaseError};
use tokio::sync::watch;

use super::stop_signal::StopSignal;

/// How long a command may take to end by itself after Ctrl-C.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Status of a process that was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

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

/// A command was told to end before it was done.
#[derive(Debug, thiserror::Error)]
#[error("it was interrupted")]
pub(super) struct Interrupted;

/// The status of a process that ends with this error, as shells have it.
pub(super) fn status_of(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<Interrupted>()) { INTERRUPTED } else { 1 }
}

/// What makes a command end at a signal, for as long as the process lives. The command gets a moment to do so by itself; a
/// thread that hangs in a write (into a pipe that nobody reads) hears of nothing, and is not waited for. Whoever will not
/// wait for the database either sends a second one; the next command finds it running, and takes it over.
pub(super) struct Interruption {
    came: watch::Receiver<bool>,
}

impl Interruption {
    pub(super) fn of(mut stop: StopSignal, share: Share) -> Self {
        let (tell, came) = watch::channel(false);
        tokio::spawn(async move {
            stop.received().await;
            tell.send_replace(true);
            let released = async {
                tokio::time::sleep(END_TIMEOUT).await;
                tokio::task::spawn_blocking(move || share.release()).await
            };
            tokio::select! {
                released = released => if let Ok(Err(error)) = released {
                    eprintln!("leadlog: {error}");
                },
                () = stop.received() => {}
            }
            std::process::exit(INTERRUPTED.into());
        });
        Self { came }
    }

    /// Waits for the signal; ready at once when it has come.
    pub(super) async fn came(&mut self) {
        // Its sender is gone only when the process ends.
        if self.came.wait_for(|came| *came).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
