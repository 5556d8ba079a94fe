//! What the cloud's words mean to a relay.

use domain::{CloudVerdict, EntryResult, Lineage, Receipt, StoreId, Tier, Verdict};
use leadlog_client::engine::verdict::{Erasures, ResultLine, StoreAnswer};

use crate::Lesson;
use crate::page::{HubSaid, Page, Relayed};
use crate::state::RelayState;

/// What was learnt, and whether to go on at once.
pub(crate) struct Learnt {
    pub(crate) lesson: Lesson,
    pub(crate) is_more_expected: bool,
    /// Whether the cursor over erasures has moved: there may be more, and nothing but the cloud can say so.
    pub(crate) has_read_erasures: bool,
}

/// What an answer teaches; `None` when it is not the cloud that answers.
pub(crate) fn learn(state: &RelayState, page: &Page, answer: &StoreAnswer) -> Option<Learnt> {
    if answer.tier != Tier::Cloud {
        return None;
    }
    let mut lesson = Lesson { state: state.clone(), verdicts: Vec::new(), erased: Vec::new() };
    let is_known = state.cloud == Some(answer.store);
    let is_lost = is_known && state.receipt.is_some() && answer.lineage == Lineage::Lost;
    if is_lost || (!is_known && state.cloud.is_some()) {
        // Its results may belong to another history than what was relayed before: they are asked for again.
        lesson.state.begin_again(answer.store);
        // Two stores that answer in turn are no reason to ask them without a pause.
        return Some(Learnt { lesson, is_more_expected: is_known, has_read_erasures: false });
    }
    let was_at = (state.cursor, state.held.len());
    lesson.state.cloud = Some(answer.store);
    let mut lines: Vec<&ResultLine> = answer.results.iter().collect();
    for entry in &page.entries {
        // Results come in the order of the request, so the first look nearly always finds it.
        let line = lines.iter().position(|line| Some(line.label()) == entry.label).map(|at| lines.remove(at));
        lesson.take(answer.store, entry, line);
    }
    page.gone.iter().for_each(|position| lesson.state.release(*position));
    lesson.state.cursor = page.through;
    lesson.state.note_reports(&page.reports);
    if let Some(erasures) = &answer.erasures {
        lesson.take_erasures(answer.store, erasures);
    }
    let has_read_erasures = lesson.state.erasures_after != state.erasures_after;
    let is_more_expected = has_read_erasures || (lesson.state.cursor, lesson.state.held.len()) != was_at;
    Some(Learnt { lesson, is_more_expected, has_read_erasures })
}

impl Lesson {
    /// Passes erasures on. A position means something in one history only, so the cursor is kept with the receipt of what
    /// stands there: a cloud that loses it is caught at it.
    fn take_erasures(&mut self, store_id: StoreId, erasures: &Erasures) {
        self.erased.extend(&erasures.client_ids);
        if let Some(append_id) = erasures.append_id {
            self.note_receipt(Receipt { store_id, position: erasures.through, append_id });
            self.state.erasures_after = self.state.erasures_after.max(erasures.through);
        }
    }

    fn note_receipt(&mut self, new: Receipt) {
        if self.state.receipt.is_none_or(|known| known.position < new.position) {
            self.state.receipt = Some(new);
        }
    }

    fn take(&mut self, store_id: StoreId, entry: &Relayed, line: Option<&ResultLine>) {
        let position = entry.position;
        if entry.label.is_none() {
            // No device can ask for it by name. The cloud answered, so it has recorded what it got.
            return self.state.release(position);
        }
        let Some(line) = line else { return self.state.hold(position, false) };
        let receipt = line.position.zip(line.append_id).map(|(position, append_id)| Receipt {
            store_id,
            position,
            append_id,
        });
        receipt.into_iter().for_each(|receipt| self.note_receipt(receipt));
        match (line.verdict, receipt) {
            (Some(Verdict::Erased), _) => {
                self.state.release(position);
                self.erased.push(line.client_id);
            }
            (Some(verdict), Some(_)) if verdict.is_stored() => {
                self.state.release(position);
                let has_changed = match entry.hub_said {
                    // Its twin under the same label is another entry.
                    HubSaid::Conflict => false,
                    HubSaid::Recorded => self.state.note_refused(line.label(), false),
                    HubSaid::Refused => true,
                };
                if has_changed {
                    self.tell(store_id, line, verdict);
                }
            }
            (Some(verdict), Some(_)) if verdict.is_refused() => {
                self.state.release(position);
                self.tell_refusal(store_id, entry, line, verdict);
            }
            // It is safe in the cloud, but no lead there yet: told to devices, and offered again.
            (Some(verdict @ (Verdict::Unsupported | Verdict::Quarantined)), Some(_)) => {
                self.tell_refusal(store_id, entry, line, verdict);
                self.state.hold(position, true);
            }
            _ => self.state.hold(position, false),
        }
    }

    /// What the hub has refused itself, its device knows already.
    fn tell_refusal(&mut self, store_id: StoreId, entry: &Relayed, line: &ResultLine, verdict: Verdict) {
        if entry.hub_said == HubSaid::Recorded {
            self.state.note_refused(line.label(), true);
            self.tell(store_id, line, verdict);
        }
    }

    fn tell(&mut self, store_id: StoreId, line: &ResultLine, verdict: Verdict) {
        self.verdicts.push(CloudVerdict {
            store_id,
            client_id: line.client_id,
            version: line.version,
            result: EntryResult {
                client_id: Some(line.client_id.to_string()),
                version: Some(line.version),
                status: verdict,
                position: line.position,
                append_id: line.append_id,
                server_id: None,
                existing: None,
                errors: line.errors.clone(),
                flags: Vec::new(),
            },
        });
    }
}
