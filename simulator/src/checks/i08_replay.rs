//! Live projection = rebuilt = replayed after any interruption: what was folded while events came in, before
//! some of them were emptied by erasures, equals what the log gives now.

use event_store::{EventLog, RecordedEvent};
use futures_util::FutureExt;
use projections::fold::LeadViews;

use super::Violation;
use crate::world::{CLOUD, World};

/// A read model of the cloud that follows its log.
#[derive(Default)]
pub struct Live {
    cursor: u64,
    views: LeadViews,
}

impl Live {
    /// Reads on from where it stands.
    pub fn follow(&mut self, log: &event_store::MemoryLog) {
        let page: Vec<RecordedEvent> =
            log.read_after(self.cursor, u32::MAX).now_or_never().and_then(Result::ok).unwrap_or_default();
        for event in page {
            self.cursor = event.position;
            // An event that cannot be folded is found by the check of contacts.
            let _ = self.views.apply(&event);
        }
    }
}

pub(super) fn at_the_end(world: &World) -> Result<(), Violation> {
    let mut replayed = Live::default();
    replayed.follow(&world.hosts[CLOUD].log);
    let live = &world.live;
    if live.cursor != replayed.cursor || live.views.contacts() != replayed.views.contacts() {
        return Err(Violation::new(8, "a replay of the cloud's log gives other contacts".to_owned()));
    }
    Ok(())
}
