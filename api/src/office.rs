//! What the office does with a lead after the event: correct a field, note a withdrawn consent, erase the person.
//!
//! These are commands to the aggregate [`FollowUp`], written at the cloud only. Two of them run through
//! cqrs-es over postgres-es, on the same table that intake appends to: the aggregate decides, its stream's
//! sequence makes two that cross one after the other. An erasure must take what was recorded before it out of
//! the log in the same transaction, so it is the log's own: [`EventLog::erase`].

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateError, CqrsFramework};
use domain::{
    Campaigns, ClientId, Contact, ContactFields, FieldError, FollowUp, FollowUpCommand, FollowUpError,
    FollowUpEvent, LEAD_STREAM, LeadEvent, PhonePlan, Tier, Timestamp,
};
use event_store::{AppendError, Appended, EventLog, LogError};
use postgres_es::PostgresEventRepository;

use crate::backups;
use crate::store::Store;

/// How often a command is tried again when another one came first.
const MAX_TRIES: u32 = 5;

/// Why the office's wish was not fulfilled. Nothing was recorded, unless the error says so.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// Only the cloud writes follow-ups.
    #[error("this store is a hub; ask the cloud")]
    NotTheCloud,
    /// No such lead is recorded here.
    #[error("this store has no lead {client_id}")]
    UnknownLead {
        /// The lead.
        client_id: ClientId,
    },
    /// Fields have not the form that they must have.
    #[error("{} field(s) cannot be read: {}", .0.len(), fields(.0))]
    Invalid(Vec<FieldError>),
    /// The aggregate refuses.
    #[error(transparent)]
    Refused(#[from] FollowUpError),
    /// Others kept changing the same lead.
    #[error("others are changing this lead at this moment; try again")]
    Crossed,
    /// The person was erased from the log, but backups of devices may still hold them.
    #[error(
        "erased from the log, but backups may still hold the person; the server goes on trying, or erase again: {0}"
    )]
    BackupsNotReached(String),
    /// The log is away or in trouble; whether it was recorded is not known.
    #[error("the log cannot be used now: {0}")]
    Unavailable(String),
}

fn fields(errors: &[FieldError]) -> String {
    errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>().join(", ")
}

/// Replaces the fields that are given, as typed; the others stay. A blank field counts as not given.
///
/// # Errors
/// See [`OfficeError`].
pub async fn correct(
    store: &Store,
    client_id: ClientId,
    contact: &ContactFields,
    by: Option<String>,
    at: Timestamp,
) -> Result<(), OfficeError> {
    let plan = phone_plan(store, client_id).await?;
    let contact = Contact::parse(contact, &plan).map_err(OfficeError::Invalid)?.fields();
    execute(store, client_id, FollowUpCommand::CorrectContact { contact, by, at }).await
}

/// Notes that the person withdrew a consent at this time. It stays withdrawn until they give it in a later lead.
///
/// # Errors
/// See [`OfficeError`].
pub async fn withdraw(
    store: &Store,
    client_id: ClientId,
    consent_id: String,
    by: Option<String>,
    at: Timestamp,
) -> Result<(), OfficeError> {
    phone_plan(store, client_id).await?;
    execute(store, client_id, FollowUpCommand::WithdrawConsent { consent_id, by, at }).await
}

/// Deletes the person's data from the log, for good, and then from every backup of a device. Erasing again answers
/// the first erasure; a lead that is not here yet is erased when it comes.
///
/// # Errors
/// See [`OfficeError`].
pub async fn erase(
    store: &Store,
    client_id: ClientId,
    by: Option<String>,
    at: Timestamp,
) -> Result<Appended, OfficeError> {
    only_at_the_cloud(store)?;
    let erased = store.log().erase(client_id, &FollowUpEvent::LeadErased { by, at }).await?;
    backups::erasure::rewrite(store.pool())
        .await
        .map_err(|error| OfficeError::BackupsNotReached(error.to_string()))?;
    Ok(erased)
}

/// The dialling rules of the lead's campaign, if the lead is here.
async fn phone_plan(store: &Store, client_id: ClientId) -> Result<PhonePlan, OfficeError> {
    only_at_the_cloud(store)?;
    let versions = store.log().read_stream(LEAD_STREAM, &client_id.to_string()).await?;
    let newest = versions.last().ok_or(OfficeError::UnknownLead { client_id })?;
    let lead: Option<LeadEvent> = serde_json::from_str(&newest.payload).ok();
    let campaigns = store.campaigns();
    let campaign = lead.and_then(|lead| campaigns.newest(&lead.entry().campaign_id));
    Ok(campaign.map(|campaign| campaign.phone_plan.clone()).unwrap_or_default())
}

fn only_at_the_cloud(store: &Store) -> Result<(), OfficeError> {
    match store.identity().tier {
        Tier::Cloud => Ok(()),
        Tier::Hub => Err(OfficeError::NotTheCloud),
    }
}

async fn execute(store: &Store, client_id: ClientId, command: FollowUpCommand) -> Result<(), OfficeError> {
    // The plain event store: cqrs-es' snapshots and aggregate stores apply events twice.
    let events = PersistedEventStore::<PostgresEventRepository, FollowUp>::new_event_store(
        PostgresEventRepository::new(store.pool().clone()),
    );
    let follow_ups = CqrsFramework::new(events, Vec::new(), ());
    for _ in 0..MAX_TRIES {
        match follow_ups.execute(&client_id.to_string(), command.clone()).await {
            Ok(()) => return Ok(()),
            Err(AggregateError::UserError(refused)) => return Err(refused.into()),
            Err(AggregateError::AggregateConflict) => {}
            Err(error) => return Err(OfficeError::Unavailable(error.to_string())),
        }
    }
    Err(OfficeError::Crossed)
}

impl From<AppendError> for OfficeError {
    fn from(error: AppendError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<LogError> for OfficeError {
    fn from(error: LogError) -> Self {
        Self::Unavailable(error.reason)
    }
}
