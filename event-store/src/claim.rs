//! Which e-mail address a recorded version of a lead claims.

use domain::LeadEvent;

use crate::EmailClaim;

/// The claim of the entry in this payload. Who takes a lead back claims nothing; neither does what was erased.
pub(crate) fn of_payload(payload: &str) -> Option<EmailClaim> {
    let event: LeadEvent = serde_json::from_str(payload).ok()?;
    let email = event.entry().email_key().filter(|_| !event.is_void())?;
    Some(EmailClaim { campaign: event.into_entry().campaign_id, email })
}
