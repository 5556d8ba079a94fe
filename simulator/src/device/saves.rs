//! What people do at the iPad: save, fix, take back.

use domain::{ClientId, Digest};
use leadlog_client::engine::Input;
use leadlog_client::engine::record::{EntryRecord, RECORD_VERSION, Records};

use super::shell::Write;
use super::tab::Fact;
use super::{Known, MAX_TABS};
use crate::fault::Fault;
use crate::people::{Draft, Kind, Person, draw_client_id};
use crate::truth::{Saved, Worth};
use crate::world::{Event, World};

/// How long until somebody who was told that it was not saved taps again, in milliseconds.
const TAP_AGAIN_MS: u64 = 5_000;

/// A tap on "Zapisz" with what is in the form.
#[derive(Clone)]
pub struct Tap {
    /// The iPad.
    pub device: usize,
    /// What is in the form.
    pub draft: Draft,
    /// What a store will say.
    pub worth: Worth,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tap({}, {}/{})", self.device, self.draft.client_id, self.draft.version)
    }
}

impl World {
    /// The next person comes to this iPad; somebody may be fixed or taken back, too.
    pub fn next_person(&mut self, device: usize) {
        if self.devices[device].leads_left == 0 {
            return;
        }
        self.devices[device].leads_left -= 1;
        let mut person = Person::draw(&mut self.rng);
        let is_invalid = self.happens(Fault::InvalidEntry);
        if is_invalid {
            person = person.without_terms();
        }
        let is_future = !is_invalid && self.happens(Fault::FutureEntry);
        let unix_ms = self.device_unix_ms(device);
        let draft = Draft {
            client_id: draw_client_id(&mut self.rng, unix_ms),
            version: 1,
            kind: if is_future { Kind::Future } else { Kind::Capture },
            person,
            campaign_version: self.devices[device].campaign_version,
            captured_at: self.timestamp(unix_ms),
        };
        let worth = match (is_invalid, is_future) {
            (true, _) => Worth::Invalid,
            (_, true) => Worth::Future,
            _ => Worth::Valid,
        };
        self.tap(Tap { device, draft, worth });
        if self.rng.u8(0..6) == 0 {
            let wait_ms = self.rng.u64(500..600_000);
            self.queue.plan(self.now_ms + wait_ms, Event::Edit { device });
        }
        let pause_ms = self.rng.u64(1..=self.mean_pause_ms * 2);
        self.queue.plan(self.now_ms + pause_ms, Event::Person { device });
    }

    /// Somebody's lead is corrected or taken back; rather one that was refused.
    pub fn edit(&mut self, device: usize) {
        let it = &self.devices[device];
        let free = |id: &ClientId| !it.editing.contains(id) && self.shown_version(device, *id).is_some();
        let invalid = it.people.iter().find(|(id, known)| known.is_invalid && free(id));
        let any = || it.people.keys().nth(it.people.len().saturating_sub(1 + self.now_ms as usize % 7));
        let Some(client_id) = invalid.map(|(id, _)| *id).or_else(|| any().copied()).filter(|id| free(id))
        else {
            return;
        };
        let known = it.people[&client_id].clone();
        let is_void = self.rng.u8(0..3) == 0;
        let person = if known.is_invalid {
            Person::draw(&mut self.rng)
        } else {
            known.person.corrected(&mut self.rng)
        };
        let unix_ms = self.device_unix_ms(device);
        let draft = Draft {
            client_id,
            version: known.version + 1,
            kind: if is_void { Kind::Void } else { Kind::Correction },
            person,
            campaign_version: self.devices[device].campaign_version,
            captured_at: self.timestamp(unix_ms),
        };
        self.devices[device].editing.insert(client_id);
        self.tap(Tap { device, draft, worth: Worth::Valid });
    }

    /// The newest version that this iPad shows of a lead; none when it was removed.
    fn shown_version(&self, device: usize, client_id: ClientId) -> Option<u32> {
        let records = self.devices[device].disk.entries.values().map(|kept| &kept.record);
        let newest =
            records.filter(|record| record.client_id == client_id).max_by_key(|record| record.version)?;
        newest.removed.is_none().then_some(newest.version)
    }

    /// A tap on "Zapisz": the write begins, whatever the network, the login or the stores are doing.
    pub fn tap(&mut self, tap: Tap) {
        let device = tap.device;
        let open = (0..MAX_TABS).find_map(|tab| {
            let open = self.devices[device].tabs[tab].as_ref().filter(|open| !open.is_frozen)?;
            Some((tab, open.generation))
        });
        match open {
            Some((tab, generation)) => {
                let delay_ms = self.rng.u64(2..30);
                let write = Write::Save(Box::new(tap));
                self.queue.plan(self.now_ms + delay_ms, Event::Written { device, tab, generation, write });
            }
            None => self.tap_again(tap),
        }
    }

    /// It was not saved, and she knows.
    pub fn tap_again(&mut self, tap: Tap) {
        self.queue.plan(self.now_ms + TAP_AGAIN_MS, Event::Tap(Box::new(tap)));
    }

    /// The transaction has completed: from here on the lead must never be lost.
    pub fn save(&mut self, device: usize, tab: usize, generation: u64, tap: Tap) {
        let Tap { draft, worth, .. } = tap;
        // The lead was removed, or the storage wiped, while she was fixing it: there is nothing left to fix.
        let knows = |open: &super::tab::Tab| {
            let newest = open.engine.newest_version(draft.client_id);
            newest.is_some_and(|newest| newest.removed.is_none() && newest.version == draft.version - 1)
        };
        let is_fixable = self.devices[device].tab(tab, generation).is_some_and(|open| knows(open));
        if draft.version > 1 && !is_fixable {
            self.devices[device].editing.remove(&draft.client_id);
            return;
        }
        let saved_at = self.device_unix_ms(device);
        let is_new_form = !self.devices[device].is_old_app && self.has_old_apps();
        let disk = &mut self.devices[device].disk;
        let device_seq = disk.next_seq;
        let entry = draft.text(&disk.installation, device_seq);
        let record = EntryRecord {
            v: RECORD_VERSION,
            key: disk.next_key(),
            device_id: disk.installation.clone(),
            device_seq,
            client_id: draft.client_id,
            version: draft.version,
            saved_at,
            entry,
            removed: None,
        };
        disk.next_seq += 1;
        disk.entries.insert(record.key, super::disk::Kept { record: record.clone(), is_new_form });
        let saved = Saved {
            device,
            installation: record.device_id.clone(),
            device_seq,
            saved_at_ms: self.now_ms,
            digest: Digest::of(&record.entry),
            worth,
            is_void: draft.kind == Kind::Void,
            is_excused: false,
        };
        self.truth.saved((draft.client_id, draft.version), saved);
        self.trace.say(self.now_ms, || {
            let (seq, kind) = (device_seq, draft.kind);
            format!("ipad {device} saved {kind:?} {}/{} as {seq}", draft.client_id, draft.version)
        });
        let known =
            Known { person: draft.person, version: draft.version, is_invalid: worth == Worth::Invalid };
        if worth != Worth::Future {
            self.devices[device].people.insert(draft.client_id, known);
        }
        self.devices[device].editing.remove(&draft.client_id);
        let learned = Records { entries: vec![record.clone()], ..Records::default() };
        self.fact(device, tab, generation, Fact::Input(Input::Saved(record)));
        self.tell_other_tabs(device, tab, None, &learned);
    }
}
