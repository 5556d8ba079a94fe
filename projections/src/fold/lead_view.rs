//! One lead as people see it: the device's newest version with the office's changes on top.

use std::fmt;

use domain::{
    CampaignId, ClientId, ConsentGrant, ContactFields, DeviceId, Email, EmailKey, FollowUp, Phone, PhonePlan,
    Timestamp,
};
use time::OffsetDateTime;

use super::parse::trimmed;
use super::withdrawal::{Noted, is_given_again};
use super::{LeadChange, Withdrawal};

/// A lead as people see it. Prints without personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct LeadView {
    /// The lead.
    pub client_id: ClientId,
    /// Where its first version stands in the log. It never changes.
    pub position: u64,
    /// When the first version was recorded, by the store's clock.
    pub recorded_at: OffsetDateTime,
    /// Its newest version.
    pub version: u32,
    /// When the version that the rest is taken from was recorded, by the store's clock.
    pub version_recorded_at: OffsetDateTime,
    /// Whether the device has taken it back. Then the rest is what the version before said, and the lead is in
    /// no export and in no contact.
    pub is_voided: bool,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Version of the campaign document that the form was showing.
    pub campaign_version: u32,
    /// The installation that made it.
    pub device_id: DeviceId,
    /// The number of this version there.
    pub device_seq: u64,
    /// When, by the device's clock, with its offset. In whole microseconds, because that is what PostgreSQL
    /// keeps, and the order of captures must be the same before and after.
    pub captured_at: OffsetDateTime,
    /// How far the device's clock was ahead of a store's, in milliseconds, if that was known.
    pub clock_offset_ms: Option<i64>,
    /// Who held the device.
    pub operator: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// E-mail address as given, trimmed.
    pub email: Option<String>,
    /// Its normal form, if it is valid.
    pub email_key: Option<EmailKey>,
    /// Telephone number in E.164.
    pub phone: Option<String>,
    /// Consents, as the entry lists them, without those that were withdrawn through this lead and not given again.
    pub consents: Vec<ConsentGrant>,
    /// What was ever withdrawn through this lead, by the id of the consent, each the last time.
    pub withdrawn: Vec<Withdrawal>,
    /// What was unusual when it was recorded.
    pub flags: Vec<String>,
}

/// Everything that must be remembered of one lead, to fold its next event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadState {
    view: Option<LeadView>,
    follow_up: FollowUp,
}

impl LeadState {
    /// What was remembered. `view` is the state's own view, with the follow-up in it.
    pub(crate) const fn restored(view: Option<LeadView>, follow_up: FollowUp) -> Self {
        Self { view, follow_up }
    }

    /// The lead as people see it; `None` when no version has come yet, and when the person was erased.
    pub const fn view(&self) -> Option<&LeadView> {
        self.view.as_ref()
    }

    /// What the office did, which may come before the lead.
    pub const fn follow_up(&self) -> &FollowUp {
        &self.follow_up
    }

    /// Applies the next change of this lead. Versions that are not newer change nothing, and after an erasure
    /// nothing does.
    pub fn apply(&mut self, change: LeadChange) {
        if self.follow_up.is_erased() {
            return;
        }
        match change {
            LeadChange::Version(version) => self.version(*version),
            LeadChange::FollowUp { event, .. } => {
                self.follow_up.evolve(event);
                if self.follow_up.is_erased() {
                    self.view = None;
                }
            }
        }
        if let Some(view) = &mut self.view {
            view.put_on_top(&self.follow_up);
        }
    }

    fn version(&mut self, version: LeadView) {
        let Some(known) = self.view.take() else {
            self.view = Some(version);
            return;
        };
        // The first that was recorded, also when it is folded late because it was parked.
        let (position, recorded_at) =
            (known.position, known.recorded_at).min((version.position, version.recorded_at));
        let newest = match known {
            known if known.version >= version.version => known,
            // What a void says of the person is of no interest, and may be nothing: what counts, should
            // somebody look for a withdrawal, is what the version before said.
            known if version.is_voided => LeadView { version: version.version, is_voided: true, ..known },
            _ => version,
        };
        self.view = Some(LeadView { position, recorded_at, ..newest });
    }
}

impl LeadView {
    /// Puts the office's changes on top of what the device said. Doing it twice changes nothing.
    fn put_on_top(&mut self, follow_up: &FollowUp) {
        let ContactFields { first_name, last_name, email, phone } = follow_up.corrected();
        if first_name.is_some() {
            self.first_name = trimmed(first_name.as_deref());
        }
        if last_name.is_some() {
            self.last_name = trimmed(last_name.as_deref());
        }
        if email.is_some() {
            self.email = trimmed(email.as_deref());
            self.email_key = email_key(self.email.as_deref());
        }
        if phone.is_some() {
            // The office's numbers are in their normal form, which is the same by any plan.
            self.phone = normal_phone(phone.as_deref(), &PhonePlan::default());
        }
        if follow_up.withdrawn().is_empty() {
            return;
        }
        self.withdrawn = follow_up
            .withdrawn()
            .iter()
            .map(|(id, at)| Withdrawal { id: id.clone(), withdrawn_at: *at })
            .collect();
        let noted = self.noted();
        self.consents.retain(|grant| {
            follow_up.withdrawn().get(&grant.id).is_none_or(|at| is_given_again(grant, noted, *at))
        });
    }

    /// Whether a grant of this lead stands, when the consent was withdrawn at that time.
    pub(super) fn gives_again(&self, grant: &ConsentGrant, withdrawn_at: Timestamp) -> bool {
        is_given_again(grant, self.noted(), withdrawn_at)
    }

    const fn noted(&self) -> Noted {
        Noted { clock_offset_ms: self.clock_offset_ms, recorded_at: self.version_recorded_at }
    }
}

/// The key of an e-mail address, if it is a valid one.
pub(crate) fn email_key(email: Option<&str>) -> Option<EmailKey> {
    Email::parse(email?).ok().map(|email| email.key())
}

/// A telephone number in E.164. What the rules of today would refuse was accepted once, and is kept as it is.
pub(super) fn normal_phone(typed: Option<&str>, plan: &PhonePlan) -> Option<String> {
    let typed = trimmed(typed)?;
    Some(Phone::parse(&typed, plan).map_or(typed, |phone| phone.as_str().to_owned()))
}

impl fmt::Debug for LeadView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let voided = if self.is_voided { ", voided" } else { "" };
        write!(f, "LeadView({} version {} at {}{voided})", self.client_id, self.version, self.position)
    }
}
