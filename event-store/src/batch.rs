//! The events of one append: without repetitions, in the order in which the index is written, and with what
//! each of them needs to be there before it.

use std::collections::BTreeSet;

use domain::{ClientId, LEAD_STREAM, SUBMISSION_STREAM, SubmissionEvent};

use crate::{Appended, EmailClaim, NewEvent, Placed};

/// The distinct events of one call.
pub(crate) struct Batch<'e> {
    /// Sorted by stream and sequence.
    pub(crate) events: Vec<Offered<'e>>,
    /// For each event of the call, its place in `events`.
    place: Vec<usize>,
}

/// One event of the call.
pub(crate) struct Offered<'e> {
    /// The event.
    pub(crate) event: &'e NewEvent,
    /// The version of this event's lead that must be recorded or refused already. None when nothing is needed,
    /// or what is needed comes with the same call: then that one's need is this one's, too.
    pub(crate) needs: Option<u64>,
    /// Of a refused submission: the lead that it names.
    pub(crate) refuses: Option<Refused>,
    /// The e-mail address that it claims: of a chain in one call, only the newest version claims one.
    pub(crate) claim: Option<&'e EmailClaim>,
    /// Whether, once recorded, it takes the place of earlier versions and of what they claim. Claims are given
    /// up before others are made.
    pub(crate) may_release_claims: bool,
}

/// The lead and the version that a refused submission names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Refused {
    pub(crate) client_id: ClientId,
    pub(crate) version: Option<u64>,
}

impl<'e> Batch<'e> {
    pub(crate) fn of(offered: &'e [NewEvent]) -> Self {
        let mut order: Vec<usize> = (0..offered.len()).collect();
        // Stable, so that of equal keys the first offered comes first.
        order.sort_by_key(|&index| offered[index].key());
        let mut events: Vec<Offered<'e>> = Vec::with_capacity(offered.len());
        let mut place = vec![0; offered.len()];
        for index in order {
            let event = &offered[index];
            if events.last().is_none_or(|last| last.event.key() != event.key()) {
                events.push(Offered::alone(event));
            }
            place[index] = events.len() - 1;
        }
        let mut batch = Self { events, place };
        batch.chain();
        batch
    }

    /// Works out the needs of later versions and the claims of earlier ones. Ordinary batches have neither.
    fn chain(&mut self) {
        if self.events.iter().all(|offered| offered.needs.is_none()) {
            return;
        }
        let refused: BTreeSet<(String, u64)> = self
            .events
            .iter()
            .filter_map(|offered| offered.refuses.as_ref())
            .filter_map(|refused| Some((refused.client_id.to_string(), refused.version?)))
            .collect();
        for index in 0..self.events.len() {
            let Some(before) = self.events[index].needs else { continue };
            let lead = self.events[index].event.aggregate_id.as_str();
            if refused.contains(&(lead.to_owned(), before)) {
                self.events[index].needs = None;
            } else if let Some(previous) = index.checked_sub(1).map(|previous| &self.events[previous])
                && previous.event.key() == (LEAD_STREAM, lead, before)
            {
                self.events[index].needs = previous.needs;
            }
        }
        for index in 1..self.events.len() {
            let (earlier, later) = self.events.split_at_mut(index);
            if let (Some(earlier), Some(later)) = (earlier.last_mut(), later.first())
                && later.event.aggregate_type == LEAD_STREAM
                && earlier.event.aggregate_type == LEAD_STREAM
                && earlier.event.aggregate_id == later.event.aggregate_id
                // Where the earlier one goes, the later one goes, too.
                && (later.needs.is_none() || later.needs == earlier.needs)
            {
                earlier.claim = None;
                earlier.may_release_claims = false;
            }
        }
    }

    /// One answer per event of the call. `stored` has one per distinct event.
    pub(crate) fn answer(&self, offered: &[NewEvent], stored: &[Stored]) -> Vec<Placed> {
        let mut answered = vec![false; stored.len()];
        self.place
            .iter()
            .zip(offered)
            .map(|(&place, event)| {
                let at = match &stored[place] {
                    Stored::At(at) => at,
                    Stored::Waiting => return Placed::Waiting,
                    Stored::Erased => return Placed::Erased,
                };
                let is_first = !std::mem::replace(&mut answered[place], true);
                Placed::At(Appended {
                    position: at.position,
                    append_id: at.append_id,
                    is_new: at.is_new && is_first,
                    is_same: match &at.digest {
                        Some(digest) => *digest == event.digest.to_string(),
                        None => at.is_new && self.events[place].event.digest == event.digest,
                    },
                    email_holder: at.email_holder,
                })
            })
            .collect()
    }
}

impl<'e> Offered<'e> {
    fn alone(event: &'e NewEvent) -> Self {
        let is_lead = event.aggregate_type == LEAD_STREAM;
        Self {
            event,
            needs: (is_lead && event.sequence > 1).then(|| event.sequence - 1),
            refuses: (event.aggregate_type == SUBMISSION_STREAM)
                .then(|| Refused::of(&event.payload))
                .flatten(),
            claim: event.claim.as_ref(),
            may_release_claims: is_lead && event.sequence > 1,
        }
    }
}

impl Refused {
    /// What the payload of a submission's event names. What names no lead by its id belongs to none.
    pub(crate) fn of(payload: &str) -> Option<Self> {
        match serde_json::from_str(payload).ok()? {
            SubmissionEvent::Refused(refusal) => Some(Self {
                client_id: refusal.client_id?.parse().ok()?,
                version: refusal.version.map(u64::from),
            }),
            SubmissionEvent::Released(_) => None,
        }
    }
}

/// What a log found or did about one distinct event.
pub(crate) enum Stored {
    At(StoredAt),
    Waiting,
    Erased,
}

/// Where it stands.
pub(crate) struct StoredAt {
    pub(crate) position: u64,
    pub(crate) append_id: domain::AppendId,
    pub(crate) is_new: bool,
    /// Digest of what stands there, if it stood there before.
    pub(crate) digest: Option<String>,
    pub(crate) email_holder: Option<(ClientId, u64)>,
}
