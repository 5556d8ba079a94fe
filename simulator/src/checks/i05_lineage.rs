//! Receipts are void only when lost lineage is proven, and then always. Checked on every answer to a sender that
//! showed a receipt.

use domain::{Lineage, SyncRequest, SyncResponse};
use event_store::MemoryLog;

use super::{Violation, event_at};

/// An answer leaves a store with this log.
///
/// # Errors
/// When it says something else about its history than what is true.
pub fn when_answered(
    log: &MemoryLog,
    request: &SyncRequest<'_>,
    response: &SyncResponse,
) -> Result<(), Violation> {
    let shown = request.last_receipt.filter(|receipt| receipt.store_id == response.store.id);
    let truth = match shown {
        Some(receipt) => {
            let held = event_at(log, receipt.position);
            if held.is_some_and(|event| event.append_id == receipt.append_id) {
                Lineage::Intact
            } else {
                Lineage::Lost
            }
        }
        None => Lineage::Intact,
    };
    if response.lineage == truth {
        return Ok(());
    }
    let at = shown.map(|receipt| receipt.position);
    let what =
        format!("lineage of the receipt at {at:?} is {truth:?}, the store says {:?}", response.lineage);
    Err(Violation::new(5, what))
}
