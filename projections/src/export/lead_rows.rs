//! The rows of an export of leads.

use domain::ConsentGrant;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use super::ExportError;
use super::column::{self, Column, Fixed};
use super::consent_columns::ConsentColumns;
use super::filter::Arguments;
use super::rows::{PAGE_ROWS, Page, Place};
use super::value::{Row, Value};
use crate::fold::Withdrawal;
use crate::local_time::CampaignZone;

const BEFORE_CONSENTS: [Fixed; 6] = [
    column::text("campaign", "campaign", 16),
    column::time("captured_at", "capturedAt"),
    column::text("first_name", "firstName", 16),
    column::text("last_name", "lastName", 20),
    column::text("email", "email", 30),
    column::text("phone", "phone", 16),
];
const AFTER_CONSENTS: [Fixed; 12] = [
    column::text("operator", "operator", 16),
    column::text("flags", "flags", 20),
    column::text("device_id", "deviceId", 38),
    column::number("device_seq", "deviceSeq"),
    column::time("recorded_at", "recordedAt"),
    column::number("position", "position"),
    column::text("client_id", "clientId", 38),
    column::number("version", "version"),
    column::time("version_recorded_at", "versionRecordedAt"),
    column::number("campaign_version", "campaignVersion"),
    column::text("consents", "consents", 40),
    column::text("withdrawn", "withdrawn", 40),
];

pub(super) fn columns(consents: &ConsentColumns) -> Vec<Column> {
    let before = BEFORE_CONSENTS.iter().map(Fixed::column);
    before.chain(consents.columns()).chain(AFTER_CONSENTS.iter().map(Fixed::column)).collect()
}

pub(super) async fn count(pool: &PgPool, filter: &Arguments<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(include_str!("../sql/leads_count.sql"))
        .bind(filter.campaign)
        .bind(filter.device)
        .bind(filter.from)
        .bind(filter.to)
        .bind(&filter.grant)
        .fetch_one(pool)
        .await
}

/// The next page of a campaign, after the key that `place` holds, which is moved.
pub(super) async fn read(
    pool: &PgPool,
    place: &mut Place,
    filter: &Arguments<'_>,
    consents: &ConsentColumns,
) -> Result<Page, ExportError> {
    let rows = sqlx::query(include_str!("../sql/leads_page.sql"))
        .bind(&place.campaign)
        .bind(place.after.position)
        .bind(PAGE_ROWS)
        .bind(filter.device)
        .bind(filter.from)
        .bind(filter.to)
        .bind(&filter.grant)
        .fetch_all(pool)
        .await?;
    let Some(through) = rows.first().map(|row| row.try_get("through")).transpose()?.flatten() else {
        return Ok(Page::End);
    };
    place.after.position = through;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(position) = row.try_get("position")? {
            found.push(values(row, position, place, consents)?);
        }
    }
    Ok(Page::Rows(found))
}

fn values(row: &PgRow, position: i64, place: &Place, consents: &ConsentColumns) -> Result<Row, ExportError> {
    let zone: &CampaignZone = &place.zone;
    let proof: &str = row.try_get("consents")?;
    let damaged = |source| ExportError::Damaged { table: "leads", source };
    let grants: Vec<ConsentGrant> = serde_json::from_str(proof).map_err(damaged)?;
    let withdrawn: Option<&str> = row.try_get("withdrawn")?;
    let mut withdrawn: Vec<Withdrawal> =
        withdrawn.map(serde_json::from_str).transpose().map_err(damaged)?.unwrap_or_default();
    withdrawn.retain(|withdrawal| grants.iter().all(|grant| grant.id != withdrawal.id));
    let time = |column| Ok::<_, sqlx::Error>(Value::Time(zone.local(row.try_get(column)?)));
    let mut values = vec![
        Value::Text(place.campaign.clone()),
        time("captured_at")?,
        Value::text(row.try_get("first_name")?),
        Value::text(row.try_get("last_name")?),
        Value::text(row.try_get("email")?),
        Value::phone(row.try_get("phone")?),
    ];
    values.extend(consents.values(&grants, zone));
    values.extend([
        Value::text(row.try_get("operator")?),
        Value::Texts(row.try_get("flags")?, ","),
        Value::Text(row.try_get("device_id")?),
        Value::Number(row.try_get("device_seq")?),
        time("recorded_at")?,
        Value::Number(position),
        Value::Text(row.try_get::<Uuid, _>("client_id")?.to_string()),
        Value::Number(row.try_get("version")?),
        time("version_recorded_at")?,
        Value::Number(row.try_get("campaign_version")?),
        Value::Json(proof.to_owned()),
        Value::Json(serde_json::to_string(&withdrawn).map_err(damaged)?),
    ]);
    Ok(values)
}
