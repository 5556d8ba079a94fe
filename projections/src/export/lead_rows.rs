//! The rows of `leads.csv`.

use domain::ConsentGrant;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::consent_columns::ConsentColumns;
use super::{ExportError, PAGE_ROWS, Place, cell};
use crate::fold::Withdrawal;

const BEFORE_CONSENTS: [&str; 6] = ["campaign", "captured_at", "first_name", "last_name", "email", "phone"];
const AFTER_CONSENTS: [&str; 12] = [
    "operator",
    "flags",
    "device_id",
    "device_seq",
    "recorded_at",
    "position",
    "client_id",
    "version",
    "version_recorded_at",
    "campaign_version",
    "consents",
    "withdrawn",
];

pub(super) fn header(columns: &ConsentColumns) -> Vec<String> {
    let before = BEFORE_CONSENTS.into_iter().map(str::to_owned);
    before.chain(columns.names()).chain(AFTER_CONSENTS.into_iter().map(str::to_owned)).collect()
}

/// The next page of a campaign, after the key that `place` holds, which is moved.
pub(super) async fn read(
    pool: &PgPool,
    place: &mut Place,
    columns: &ConsentColumns,
) -> Result<Vec<Vec<String>>, ExportError> {
    let rows = sqlx::query(include_str!("../sql/leads_page.sql"))
        .bind(&place.campaign)
        .bind(place.after.position)
        .bind(PAGE_ROWS)
        .fetch_all(pool)
        .await?;
    if let Some(last) = rows.last() {
        place.after.position = last.try_get("position")?;
    }
    rows.iter().map(|row| cells(row, place, columns)).collect()
}

fn cells(row: &PgRow, place: &Place, columns: &ConsentColumns) -> Result<Vec<String>, ExportError> {
    let consents: &str = row.try_get("consents")?;
    let damaged = |source| ExportError::Damaged { table: "leads", source };
    let grants: Vec<ConsentGrant> = serde_json::from_str(consents).map_err(damaged)?;
    let withdrawn: Option<&str> = row.try_get("withdrawn")?;
    let mut withdrawn: Vec<Withdrawal> =
        withdrawn.map(serde_json::from_str).transpose().map_err(damaged)?.unwrap_or_default();
    withdrawn.retain(|withdrawal| grants.iter().all(|grant| grant.id != withdrawal.id));
    let mut cells = vec![
        cell::text(&place.campaign),
        place.zone.text(row.try_get("captured_at")?),
        cell::optional(row.try_get("first_name")?),
        cell::optional(row.try_get("last_name")?),
        cell::optional(row.try_get("email")?),
        cell::phone(row.try_get("phone")?),
    ];
    cells.extend(columns.cells(&grants, &place.zone));
    cells.extend([
        cell::optional(row.try_get("operator")?),
        cell::text(row.try_get("flags")?),
        cell::text(row.try_get("device_id")?),
        row.try_get::<i64, _>("device_seq")?.to_string(),
        place.zone.text(row.try_get("recorded_at")?),
        row.try_get::<i64, _>("position")?.to_string(),
        row.try_get::<Uuid, _>("client_id")?.to_string(),
        row.try_get::<i64, _>("version")?.to_string(),
        place.zone.text(row.try_get("version_recorded_at")?),
        row.try_get::<i64, _>("campaign_version")?.to_string(),
        consents.to_owned(),
        serde_json::to_string(&withdrawn).map_err(damaged)?,
    ]);
    Ok(cells)
}
