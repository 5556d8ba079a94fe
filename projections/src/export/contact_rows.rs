//! The rows of an export of contacts.

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
use crate::fold::{ContactConsent, Naming};
use crate::local_time::CampaignZone;

const BEFORE_CONSENTS: [Fixed; 5] = [
    column::text("campaign", "campaign", 16),
    column::text("email", "email", 30),
    column::text("first_name", "firstName", 16),
    column::text("last_name", "lastName", 20),
    column::text("phone", "phone", 16),
];
const AFTER_CONSENTS: [Fixed; 7] = [
    column::text("other_names", "otherNames", 24),
    column::number("lead_count", "leadCount"),
    column::time("first_captured_at", "firstCapturedAt"),
    column::time("last_captured_at", "lastCapturedAt"),
    column::text("first_client_id", "firstClientId", 38),
    column::text("consents", "consents", 40),
    column::text("withdrawn", "withdrawn", 40),
];

pub(super) fn columns(consents: &ConsentColumns) -> Vec<Column> {
    let before = BEFORE_CONSENTS.iter().map(Fixed::column);
    before.chain(consents.columns()).chain(AFTER_CONSENTS.iter().map(Fixed::column)).collect()
}

pub(super) async fn count(pool: &PgPool, filter: &Arguments<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(include_str!("../sql/contacts_count.sql"))
        .bind(filter.campaign)
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
    let rows = sqlx::query(include_str!("../sql/contacts_page.sql"))
        .bind(&place.campaign)
        .bind(&place.after.contact_key)
        .bind(PAGE_ROWS)
        .bind(filter.from)
        .bind(filter.to)
        .bind(&filter.grant)
        .fetch_all(pool)
        .await?;
    let Some(through) = rows.first().map(|row| row.try_get("through")).transpose()?.flatten() else {
        return Ok(Page::End);
    };
    place.after.contact_key = through;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(first_client_id) = row.try_get("first_client_id")? {
            found.push(values(row, first_client_id, place, consents)?);
        }
    }
    Ok(Page::Rows(found))
}

fn values(
    row: &PgRow,
    first_client_id: Uuid,
    place: &Place,
    consents: &ConsentColumns,
) -> Result<Row, ExportError> {
    let zone: &CampaignZone = &place.zone;
    let damaged = |source| ExportError::Damaged { table: "contacts", source };
    let mut names: Vec<Naming> = serde_json::from_str(row.try_get("names")?).map_err(damaged)?;
    let proof: &str = row.try_get("consents")?;
    let proofs: Vec<ContactConsent> = serde_json::from_str(proof).map_err(damaged)?;
    let grants: Vec<ConsentGrant> = proofs.into_iter().map(|proof| proof.grant).collect();
    let other_names = names.iter().skip(1).map(whole_name).collect();
    let (first_name, last_name) = names
        .first_mut()
        .map(|naming| (naming.first_name.take(), naming.last_name.take()))
        .unwrap_or_default();
    let time = |column| Ok::<_, sqlx::Error>(Value::Time(zone.local(row.try_get(column)?)));
    let mut values = vec![
        Value::Text(place.campaign.clone()),
        Value::text(row.try_get("email")?),
        Value::text(first_name),
        Value::text(last_name),
        Value::phone(row.try_get("phone")?),
    ];
    values.extend(consents.values(&grants, zone));
    values.extend([
        Value::Texts(other_names, ", "),
        Value::Number(row.try_get("lead_count")?),
        time("first_captured_at")?,
        time("last_captured_at")?,
        Value::Text(first_client_id.to_string()),
        Value::Json(proof.to_owned()),
        Value::Json(row.try_get("withdrawn")?),
    ]);
    Ok(values)
}

fn whole_name(naming: &Naming) -> String {
    let parts = [naming.first_name.as_deref(), naming.last_name.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
