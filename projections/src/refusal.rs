//! What an error of the database means for whoever waits: it does not answer, or it answers "no".

use crate::export::ExportError;
use crate::{BuildError, CatchUpError, ReplayError, WaitError};

/// The database has not done what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No answer.
    #[error("the database does not answer")]
    Silent(#[source] sqlx::Error),
    /// It answers, and will not do it.
    #[error("the database refuses a statement")]
    Refused(#[source] sqlx::Error),
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        if is_refused(&error) { Self::Refused(error) } else { Self::Silent(error) }
    }
}

/// What `?` makes of an error of the database.
macro_rules! database_errors {
    ($($error:ty),+) => {$(
        impl From<sqlx::Error> for $error {
            fn from(error: sqlx::Error) -> Self {
                Self::Database(error.into())
            }
        }
    )+};
}

database_errors!(BuildError, CatchUpError, ExportError, ReplayError, WaitError);

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
