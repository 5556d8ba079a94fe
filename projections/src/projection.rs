//! The contract of a projection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use event_store::RecordedEvent;
use sqlx::PgConnection;

/// A read model: a pure fold of recorded events into rows of its own tables.
pub trait Projection: 'static {
    /// What one event does to the tables.
    type Change: Send;

    /// Its name; it names the cursor.
    const NAME: &'static str;

    /// Raised whenever the same events would give other rows. The projection then starts from the beginning.
    const VERSION: i32;

    /// The tables that only this projection writes.
    const TABLES: &'static [Table];

    /// The kinds of stream whose events must be folded in the order of the log: what a later one says takes the place of
    /// what an earlier one said. Of all others, any may be folded again at any time.
    const ORDERED_STREAMS: &'static [&'static str];

    /// What an event does to the tables; `None` when it does not concern this projection. Pure.
    ///
    /// # Errors
    /// [`Poison`] when the event concerns this projection and cannot be understood.
    fn fold(event: &RecordedEvent) -> Result<Option<Self::Change>, Poison>;

    /// Writes the changes of one page, which are in the order of the log, as few statements as possible. Runs inside a
    /// transaction that also moves the cursor.
    ///
    /// # Errors
    /// When the database refuses or does not answer; then nothing of the page is kept.
    fn apply(
        db: &mut PgConnection,
        changes: Vec<Self::Change>,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A table of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name, which needs no quotes. It has a primary key.
    pub name: &'static str,
    /// SQL over its columns that names a row for people, without personal data.
    pub row_label: &'static str,
}

/// Why an event cannot be folded. The reason is for engineers and never holds what somebody typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Poison {
    reason: String,
}

impl Poison {
    /// A reason, without personal data.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// An event that could not be folded, by its place in the page.
pub(crate) struct Unfoldable {
    pub(crate) place: usize,
    pub(crate) poison: Poison,
}

type Projecting<'c> = Pin<Box<dyn Future<Output = Result<Vec<Unfoldable>, sqlx::Error>> + Send + 'c>>;

/// A projection without its type, so that a runner can hold a list of them.
#[derive(Clone, Copy)]
pub struct Registration {
    /// [`Projection::NAME`].
    pub name: &'static str,
    /// [`Projection::VERSION`].
    pub version: i32,
    /// [`Projection::TABLES`].
    pub tables: &'static [Table],
    pub(crate) ordered_streams: &'static [&'static str],
    project: for<'c> fn(&'c mut PgConnection, &'c [RecordedEvent]) -> Projecting<'c>,
}

impl Registration {
    /// Takes the type away.
    pub const fn of<P: Projection>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            tables: P::TABLES,
            ordered_streams: P::ORDERED_STREAMS,
            project: project::<P>,
        }
    }

    /// Folds the events and writes their changes; answers those that cannot be folded.
    pub(crate) async fn project(
        &self,
        db: &mut PgConnection,
        events: &[RecordedEvent],
    ) -> Result<Vec<Unfoldable>, sqlx::Error> {
        (self.project)(db, events).await
    }
}

fn project<'c, P: Projection>(db: &'c mut PgConnection, events: &'c [RecordedEvent]) -> Projecting<'c> {
    let mut changes = Vec::with_capacity(events.len());
    let mut unfoldable = Vec::new();
    for (place, event) in events.iter().enumerate() {
        match P::fold(event) {
            Ok(change) => changes.extend(change),
            Err(poison) => unfoldable.push(Unfoldable { place, poison }),
        }
    }
    Box::pin(async move {
        if !changes.is_empty() {
            P::apply(db, changes).await?;
        }
        Ok(unfoldable)
    })
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}
