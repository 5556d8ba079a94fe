//! What intake promises, over both logs and both recorders.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod custody;
mod devices;
mod erasures;
mod faults;
mod quarantine;
mod releases;
mod verdicts;
mod world;

/// Runs every promise of a module against every world.
macro_rules! in_every_world {
    ($($promise:ident),+ $(,)?) => {
        mod memory_direct { $(
            #[tokio::test]
            async fn $promise() { super::$promise::<crate::world::MemoryDirect>().await; }
        )+ }
        mod memory_queue { $(
            #[tokio::test]
            async fn $promise() { super::$promise::<crate::world::MemoryQueue>().await; }
        )+ }
        mod postgres_direct { $(
            #[tokio::test]
            async fn $promise() { super::$promise::<crate::world::PostgresDirect>().await; }
        )+ }
        mod postgres_queue { $(
            #[tokio::test]
            async fn $promise() { super::$promise::<crate::world::PostgresQueue>().await; }
        )+ }
    };
}
use in_every_world;
