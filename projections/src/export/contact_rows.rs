//! The rows of `contacts.csv`.

use domain::ConsentGrant;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::consent_columns::ConsentColumns;
use super::{ExportError, PAGE_ROWS, Place, cell};
use crate::fold::{ContactConsent, Naming};

const BEFORE_CONSENTS: [&str; 5] = ["campaign", "email", "first_name", "last_name", "phone"];
const AFTER_CONSENTS: [&str; 7] = [
    "other_names",
    "lead_count",
    "first_captured_at",
    "last_captured_at",
    "first_client_id",
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
    let rows = sqlx::query(include_str!("../sql/contacts_page.sql"))
        .bind(&place.campaign)
        .bind(&place.after.contact_key)
        .bind(PAGE_ROWS)
        .fetch_all(pool)
        .await?;
    if let Some(last) = rows.last() {
        place.after.contact_key = last.try_get("contact_key")?;
    }
    rows.iter().map(|row| cells(row, place, columns)).collect()
}

fn cells(row: &PgRow, place: &Place, columns: &ConsentColumns) -> Result<Vec<String>, ExportError> {
    let damaged = |source| ExportError::Damaged { table: "contacts", source };
    let names: Vec<Naming> = serde_json::from_str(row.try_get("names")?).map_err(damaged)?;
    let consents: &str = row.try_get("consents")?;
    let proofs: Vec<ContactConsent> = serde_json::from_str(consents).map_err(damaged)?;
    let grants: Vec<ConsentGrant> = proofs.into_iter().map(|proof| proof.grant).collect();
    let naming = names.first();
    let mut cells = vec![
        cell::text(&place.campaign),
        cell::optional(row.try_get("email")?),
        cell::optional(naming.and_then(|naming| naming.first_name.as_deref())),
        cell::optional(naming.and_then(|naming| naming.last_name.as_deref())),
        cell::phone(row.try_get("phone")?),
    ];
    cells.extend(columns.cells(&grants, &place.zone));
    cells.extend([
        cell::text(&names.iter().skip(1).map(whole_name).collect::<Vec<_>>().join(", ")),
        row.try_get::<i64, _>("lead_count")?.to_string(),
        place.zone.text(row.try_get("first_captured_at")?),
        place.zone.text(row.try_get("last_captured_at")?),
        row.try_get::<Uuid, _>("first_client_id")?.to_string(),
        consents.to_owned(),
        row.try_get("withdrawn")?,
    ]);
    Ok(cells)
}

fn whole_name(naming: &Naming) -> String {
    let parts = [naming.first_name.as_deref(), naming.last_name.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
