//! What a lead is: ids, validated values, consents, campaigns, aggregates, verdicts and wire messages.
//!
//! This crate is pure. It reads no clock, draws no random number and does no I/O: time comes in as a
//! [`Timestamp`], ids come in from the caller. The same code judges a lead on the iPad (compiled to
//! WebAssembly) and on the server, so there is no second copy of any rule.
//!
//! The way of one lead through this crate:
//!
//! 1. The device checks what was typed: [`Campaign::check`] over a [`LeadForm`], errors as [`FieldError`].
//! 2. It freezes the lead as an [`Entry`], the unit of the wire, and keeps its bytes.
//! 3. A store receives [`SyncRequest`] with the entries *as raw text* and asks [`judge`] about each.
//! 4. [`Judgement`] is an event to append: to the lead's stream, or a `SubmissionRefused`. Nothing is dropped.
//! 5. The store answers with an [`EntryResult`] per entry.
//!
//! Types that hold personal data print redacted in `Debug` (invariant 12).

mod api_client;
mod bearer;
mod campaign;
#[cfg(feature = "aggregates")]
mod campaign_check;
#[cfg(feature = "aggregates")]
mod campaign_history;
mod checked_text;
mod cloud_verdict;
mod consent;
mod contact;
mod device_report;
mod email;
mod enrolment;
mod entry;
mod event_form;
mod feed;
mod field_error;
mod follow_up;
mod ids;
mod judge;
mod lead;
mod name;
mod person;
mod phone;
#[cfg(feature = "aggregates")]
mod published_campaigns;
mod raw;
mod scope;
#[cfg(feature = "snapshots")]
mod snapshot;
#[cfg(feature = "snapshots")]
mod snapshot_erasure;
mod submission;
mod timestamp;
mod verdict;
mod wire;

pub use api_client::{
    API_CLIENT_STREAM, ApiClient, ApiClientCommand, ApiClientError, ApiClientEvent, ApiClientId,
    ApiClientIdError, ApiClientOffer, ApiClientSecret, CLI_CLIENT_ID, HeldSecret, MAX_ACTIVE_SECRETS,
    SecretHash,
};
pub use bearer::Bearer;
pub use campaign::{
    CAMPAIGN_STREAM, Campaign, CampaignConsent, CampaignField, CampaignParseError, Campaigns,
    EmbeddedCampaigns, LocalizedText, PhonePlan, SHOOTOUT_2026,
};
#[cfg(feature = "aggregates")]
pub use campaign_check::{CampaignMistake, MAX_CAMPAIGN_BYTES};
#[cfg(feature = "aggregates")]
pub use campaign_history::{CampaignCommand, CampaignError, CampaignEvent, CampaignHistory};
pub use cloud_verdict::{CLOUD_VERDICT_STREAM, CloudVerdict, CloudVerdictEvent};
pub use consent::ConsentGrant;
pub use contact::{Contact, ContactFields, LeadForm};
pub use device_report::{DEVICE_REPORT_STREAM, DeviceReport, DeviceReportEvent};
pub use email::{Email, EmailKey};
pub use enrolment::{
    CodeDigest, DeviceKey, DeviceName, ENROLMENT_STREAM, EnrolledDevice, Enrolment, EnrolmentCommand,
    EnrolmentError, EnrolmentEvent, EnrolmentId, EnrolmentOffer, EnrolmentTextError,
};
pub use entry::Entry;
pub use event_form::{EVENT_FORMS, UnknownForm, current_form};
pub use feed::{FeedCursor, FeedEvent, FeedPage, FeedUpdate, FeedUpdateAnswer, MAX_FEED_UPDATE_EVENTS};
pub use field_error::{ErrorCode, FieldError};
pub use follow_up::{
    FOLLOW_UP_STREAM, FollowUp, FollowUpCommand, FollowUpError, FollowUpEvent, erased_entry,
    erased_submission,
};
pub use ids::{AdminName, AppendId, CampaignId, ClientId, DeviceId, IdError, StoreId};
pub use judge::{Accepted, CLOCK_TOLERANCE_SECONDS, Flag, Judgement, judge};
pub use lead::{LEAD_STREAM, Lead, LeadCommand, LeadError, LeadEvent};
pub use name::PersonName;
pub use person::{
    DisplayName, Invitation, PERSON_STREAM, Person, PersonCommand, PersonError, PersonEvent, PersonId,
    PersonTextError, ProvidedIdentity,
};
pub use phone::Phone;
#[cfg(feature = "aggregates")]
pub use published_campaigns::{PublishedCampaigns, PublishedVersion};
pub use raw::{Digest, MAX_ENTRY_BYTES, MAX_ENTRY_DEPTH};
pub use scope::{GrantError, Scope, ScopeError, Scopes};
#[cfg(feature = "snapshots")]
pub use snapshot::{
    Damage, DamagedRecord, EntryPeople, MAX_SNAPSHOT_BYTES, SNAPSHOT_FORMAT, Snapshot, SnapshotEntry,
    SnapshotError,
};
#[cfg(feature = "snapshots")]
pub use snapshot_erasure::{leads_named_in_snapshot, snapshot_without};
pub use submission::{Refusal, RefusalReason, Release, ReleaseOutcome, SUBMISSION_STREAM, SubmissionEvent};
pub use timestamp::{Timestamp, TimestampError};
pub use verdict::{EntryResult, Verdict};
pub use wire::{
    CloudVerdictsAnswer, DeviceCondition, ErasuresAnswer, Lineage, MAX_BATCH_ENTRIES, MAX_BODY_BYTES,
    MAX_KEPT_ENTRY_BYTES, MAX_PAGE_ITEMS, Receipt, STORE_ID_HEADER, StoreState, SyncRequest, SyncResponse,
    TIER_HEADER, Tier,
};
