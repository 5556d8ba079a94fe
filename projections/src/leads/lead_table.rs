//! The tables `leads` and `lead_follow_ups`.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ClientId, FollowUp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::fold::{ContactKey, LeadState, LeadView, Withdrawal, email_key};
use crate::row::{json, undecodable};

/// Inserts leads of which nothing is remembered yet; answers those that were.
pub(super) async fn insert(db: &mut PgConnection, leads: &[LeadView]) -> Result<Vec<ClientId>, sqlx::Error> {
    fn column<'l, T>(leads: &'l [LeadView], value: impl Fn(&'l LeadView) -> T) -> Vec<T> {
        leads.iter().map(value).collect()
    }
    if leads.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<ContactKey> = leads.iter().map(LeadView::contact_key).collect();
    let withdrawn = |lead: &LeadView| (!lead.withdrawn.is_empty()).then(|| json(&lead.withdrawn)).transpose();
    let inserted: Vec<Uuid> = sqlx::query_scalar(include_str!("../sql/insert_leads.sql"))
        .bind(column(leads, |lead| lead.client_id.uuid()))
        .bind(column(leads, |lead| lead.position.cast_signed()))
        .bind(column(leads, |lead| lead.campaign_id.as_str()))
        .bind(column(leads, |lead| i64::from(lead.campaign_version)))
        .bind(column(leads, |lead| i64::from(lead.version)))
        .bind(column(leads, |lead| lead.device_id.as_str()))
        .bind(column(leads, |lead| lead.device_seq.cast_signed()))
        .bind(column(leads, |lead| lead.captured_at))
        .bind(column(leads, |lead| lead.captured_at.offset().whole_minutes()))
        .bind(column(leads, |lead| lead.recorded_at))
        .bind(column(leads, |lead| lead.first_name.as_deref()))
        .bind(column(leads, |lead| lead.last_name.as_deref()))
        .bind(column(leads, |lead| lead.email.as_deref()))
        .bind(column(leads, |lead| lead.phone.as_deref()))
        .bind(column(leads, |lead| lead.operator.as_deref()))
        .bind(leads.iter().map(|lead| json(&lead.consents)).collect::<Result<Vec<_>, _>>()?)
        .bind(column(leads, |lead| lead.flags.join(",")))
        .bind(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
        .bind(column(leads, |lead| lead.version_recorded_at))
        .bind(column(leads, |lead| lead.clock_offset_ms))
        .bind(column(leads, |lead| lead.is_voided))
        .bind(leads.iter().map(withdrawn).collect::<Result<Vec<_>, _>>()?)
        .fetch_all(db)
        .await?;
    Ok(inserted.into_iter().map(ClientId::new).collect())
}

/// Takes what is remembered of leads out of the tables.
pub(super) async fn take(
    db: &mut PgConnection,
    leads: &[ClientId],
) -> Result<BTreeMap<ClientId, LeadState>, sqlx::Error> {
    let ids: Vec<Uuid> = leads.iter().map(|lead| lead.uuid()).collect();
    let rows = sqlx::query(include_str!("../sql/take_leads.sql")).bind(&ids).fetch_all(&mut *db).await?;
    let mut views = BTreeMap::new();
    for row in &rows {
        let view = view(row)?;
        views.insert(view.client_id, view);
    }
    let follow_ups: Vec<(Uuid, String)> =
        sqlx::query_as(include_str!("../sql/take_lead_follow_ups.sql")).bind(&ids).fetch_all(db).await?;
    let mut states = BTreeMap::new();
    for (client_id, follow_up) in follow_ups {
        let client_id = ClientId::new(client_id);
        let follow_up: FollowUp = serde_json::from_str(&follow_up).map_err(undecodable)?;
        states.insert(client_id, LeadState::restored(views.remove(&client_id), follow_up));
    }
    for (client_id, view) in views {
        states.insert(client_id, LeadState::restored(Some(view), FollowUp::default()));
    }
    Ok(states)
}

/// Puts back what was taken.
pub(super) async fn put(
    db: &mut PgConnection,
    states: &BTreeMap<ClientId, LeadState>,
) -> Result<(), sqlx::Error> {
    let views: Vec<LeadView> = states.values().filter_map(LeadState::view).cloned().collect();
    insert(db, &views).await?;
    let nothing = FollowUp::default();
    let followed: Vec<(&ClientId, &FollowUp)> = states
        .iter()
        .map(|(client_id, state)| (client_id, state.follow_up()))
        .filter(|(_, follow_up)| **follow_up != nothing)
        .collect();
    if followed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO lead_follow_ups (client_id, follow_up)
         SELECT client_id, follow_up::json FROM unnest($1::uuid[], $2::text[]) AS u(client_id, follow_up)",
    )
    .bind(followed.iter().map(|(client_id, _)| client_id.uuid()).collect::<Vec<_>>())
    .bind(followed.iter().map(|(_, follow_up)| json(follow_up)).collect::<Result<Vec<_>, _>>()?)
    .execute(db)
    .await?;
    Ok(())
}

/// All leads of some contacts, also those that were taken back.
pub(super) async fn of_contacts(
    db: &mut PgConnection,
    keys: &BTreeSet<ContactKey>,
) -> Result<Vec<LeadView>, sqlx::Error> {
    let rows = sqlx::query(include_str!("../sql/leads_of_contacts.sql"))
        .bind(keys.iter().map(|key| key.campaign_id.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
        .fetch_all(db)
        .await?;
    rows.iter().map(view).collect()
}

fn view(row: &PgRow) -> Result<LeadView, sqlx::Error> {
    let campaign_id: &str = row.try_get("campaign_id")?;
    let device_id: &str = row.try_get("device_id")?;
    let email: Option<String> = row.try_get("email")?;
    let withdrawn: Option<&str> = row.try_get("withdrawn")?;
    let withdrawn: Option<Vec<Withdrawal>> =
        withdrawn.map(serde_json::from_str).transpose().map_err(undecodable)?;
    Ok(LeadView {
        client_id: ClientId::new(row.try_get("client_id")?),
        position: row.try_get::<i64, _>("position")?.cast_unsigned(),
        recorded_at: row.try_get("recorded_at")?,
        version: number(row, "version")?,
        version_recorded_at: row.try_get("version_recorded_at")?,
        is_voided: row.try_get("is_voided")?,
        campaign_id: campaign_id.parse().map_err(undecodable)?,
        campaign_version: number(row, "campaign_version")?,
        device_id: device_id.parse().map_err(undecodable)?,
        device_seq: row.try_get::<i64, _>("device_seq")?.cast_unsigned(),
        captured_at: at_offset(row.try_get("captured_at")?, row.try_get("captured_offset_minutes")?),
        clock_offset_ms: row.try_get("clock_offset_ms")?,
        operator: row.try_get("operator")?,
        first_name: row.try_get("first_name")?,
        last_name: row.try_get("last_name")?,
        email_key: email_key(email.as_deref()),
        email,
        phone: row.try_get("phone")?,
        consents: serde_json::from_str(row.try_get("consents")?).map_err(undecodable)?,
        withdrawn: withdrawn.unwrap_or_default(),
        flags: row.try_get("flags")?,
    })
}

fn number(row: &PgRow, column: &str) -> Result<u32, sqlx::Error> {
    u32::try_from(row.try_get::<i64, _>(column)?).map_err(undecodable)
}

/// PostgreSQL keeps the moment; the offset of the place stands beside it.
fn at_offset(moment: OffsetDateTime, offset_minutes: i16) -> OffsetDateTime {
    let offset = UtcOffset::from_whole_seconds(i32::from(offset_minutes) * 60).ok();
    offset.and_then(|offset| moment.checked_to_offset(offset)).unwrap_or(moment)
}
