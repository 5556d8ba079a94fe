//! What an error of the database means for whoever waits: it does not answer, or it answers "no".

/// Whether the database was reached and will not do what it was asked. Otherwise it cannot be reached, or is about to be gone.
pub(crate) fn is_refused(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    match error {
        Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed => false,
        sqlx::Error::Database(error) => {
            let state = error.code().unwrap_or_default();
            // Connection failures; shutdowns, crashes and starts; too many connections; sessions that are ended because
            // their transaction idled or took too long.
            let is_about_connection = state.starts_with("08") || state.starts_with("57P0");
            !is_about_connection && !["53300", "25P03", "25P04"].contains(&&*state)
        }
        _ => true,
    }
}
