//! `GET|HEAD /api/exports/{leads,contacts}.{csv,xlsx,ndjson}`: what the CRM takes out.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{self, SizedStream};
use actix_web::http::header::{self, ContentEncoding};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, get, head};
use domain::PublishedCampaigns;
use futures_util::TryStreamExt;
use identity::Principal;
use projections::export::{
    Delimiter, Export, ExportError, ExportKind, Exported, FileType, Filter, FilterError, Format, FormatError,
};
use projections::{DatabaseError, WaitError};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::authorization::{Authorized, TakesLeadsOut};
use super::problem::Problem;
use super::{Context, query};

/// How long an export waits for its projection to reach the log's head.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it waits for one that does not move: longer than the runner waits for a database that was away.
const MAX_STILL: Duration = Duration::from_secs(30);

/// Which rows, and how they are written.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
// A filter whose name is misspelt must not give everybody's data.
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    /// Only rows of this campaign.
    #[param(example = "shootout-2026")]
    campaign: Option<String>,
    /// Only leads of this device. Refused for contacts, of which one may have leads of several devices.
    #[param(example = "ipad-7")]
    device: Option<String>,
    /// Only what was captured at this moment or later: RFC 3339 with an offset, whose `+` a URL writes as `%2B`. A
    /// contact counts by its first capture.
    #[param(format = DateTime, example = "2026-05-23T00:00:00+02:00")]
    from: Option<String>,
    /// Only what was captured before this moment.
    #[param(format = DateTime, example = "2026-05-24T00:00:00+02:00")]
    to: Option<String>,
    /// Only rows in which this consent stands: given, and not withdrawn since. Of leads, each says this for itself
    /// alone; ask contacts for people.
    #[param(example = "marketing-email")]
    consent: Option<String>,
    /// CSV only: what stands between two cells. Without it, a semicolon.
    #[param(inline, value_type = Option<CsvDelimiter>)]
    delimiter: Option<String>,
    /// CSV only: whether the file begins with a byte order mark. Without it, it does.
    #[param(value_type = Option<bool>)]
    bom: Option<String>,
}

/// The ending of the file.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes a parameter that is read as text")]
pub(crate) enum ExportFormat {
    Csv,
    Xlsx,
    Ndjson,
}

/// What stands between two cells.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes a parameter that is read as text")]
pub(crate) enum CsvDelimiter {
    Semicolon,
    Comma,
}

/// All leads, one row each, complete up to the moment of asking.
///
/// The columns, the same in each format, are described in `docs/exports.md`. CSV and NDJSON are sent while they are
/// read: a failure in the middle cuts the connection, so that a partial file is noticed. XLSX is made whole first, and is
/// sent with its length.
#[utoipa::path(
    operation_id = "exportLeads",
    tag = "exports",
    params(("format" = inline(ExportFormat), Path, description = "Kind of file"), ExportQuery),
    security(("oauth" = ["crm"]), ("oauth" = ["organize"]), ("bearer" = ["crm"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "The rows",
            content(
                (String = "text/csv"),
                (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
                (String = "application/x-ndjson"),
            ),
            headers(
                ("leadlog-head" = u64, description = "Position in the store's log up to which the export is complete"),
                ("leadlog-parked" = u64, description = "Events up to there that could not be read: what they say is in no row"),
                ("leadlog-rows" = u64, description = "How many rows matched when the export began; of XLSX, how many it holds"),
            )),
        (status = 400, description = "A parameter is unknown or not valid, names what is nowhere here, or is not for this kind of file; or the request has not just one token", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 404, description = "There is no such kind of file", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "More rows than a spreadsheet can hold", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The rows are not there yet: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/exports/leads.{format}")]
pub(crate) async fn export_leads(
    caller: Authorized<TakesLeadsOut>,
    request: HttpRequest,
    format: Path<String>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    answer(ExportKind::Leads, &caller.principal, &request, &format, &context).await
}

/// All contacts: one row per person and campaign, with the proof of each consent.
///
/// Leads with one e-mail address are one contact; a lead without e-mail is a contact of its own. Formats and headers are
/// those of the leads.
#[utoipa::path(
    operation_id = "exportContacts",
    tag = "exports",
    params(("format" = inline(ExportFormat), Path, description = "Kind of file"), ExportQuery),
    security(("oauth" = ["crm"]), ("oauth" = ["organize"]), ("bearer" = ["crm"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "The rows",
            content(
                (String = "text/csv"),
                (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
                (String = "application/x-ndjson"),
            ),
            headers(
                ("leadlog-head" = u64, description = "Position in the store's log up to which the export is complete"),
                ("leadlog-parked" = u64, description = "Events up to there that could not be read: what they say is in no row"),
                ("leadlog-rows" = u64, description = "How many rows matched when the export began; of XLSX, how many it holds"),
            )),
        (status = 400, description = "A parameter is unknown or not valid, names what is nowhere here, or is not for this export; or the request has not just one token", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 404, description = "There is no such kind of file", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "More rows than a spreadsheet can hold", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The rows are not there yet: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/exports/contacts.{format}")]
pub(crate) async fn export_contacts(
    caller: Authorized<TakesLeadsOut>,
    request: HttpRequest,
    format: Path<String>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    answer(ExportKind::Contacts, &caller.principal, &request, &format, &context).await
}

/// Whether leads can be exported, and how many rows there are: the headers of the export, without its body.
#[utoipa::path(
    operation_id = "headExportLeads",
    tag = "exports",
    params(("format" = inline(ExportFormat), Path, description = "Kind of file"), ExportQuery),
    security(("oauth" = ["crm"]), ("oauth" = ["organize"]), ("bearer" = ["crm"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "The export can begin",
            headers(
                ("leadlog-head" = u64, description = "Position in the store's log up to which an export is complete now"),
                ("leadlog-parked" = u64, description = "Events up to there that could not be read: what they say is in no row"),
                ("leadlog-rows" = u64, description = "How many rows match now"),
            )),
        (status = 400, description = "A parameter is unknown or not valid, names what is nowhere here, or is not for this export; or the request has not just one token"),
        (status = 401, description = "No token, or one that does not count", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 404, description = "There is no such kind of file"),
        (status = 422, description = "More rows than a spreadsheet can hold"),
        (status = 503, description = "The rows are not there yet: try again"),
    )
)]
#[head("/api/exports/leads.{format}")]
pub(crate) async fn head_leads(
    caller: Authorized<TakesLeadsOut>,
    request: HttpRequest,
    format: Path<String>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    answer_head(ExportKind::Leads, &caller.principal, &request, &format, &context).await
}

/// Whether contacts can be exported, and how many rows there are: the headers of the export, without its body.
#[utoipa::path(
    operation_id = "headExportContacts",
    tag = "exports",
    params(("format" = inline(ExportFormat), Path, description = "Kind of file"), ExportQuery),
    security(("oauth" = ["crm"]), ("oauth" = ["organize"]), ("bearer" = ["crm"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "The export can begin",
            headers(
                ("leadlog-head" = u64, description = "Position in the store's log up to which an export is complete now"),
                ("leadlog-parked" = u64, description = "Events up to there that could not be read: what they say is in no row"),
                ("leadlog-rows" = u64, description = "How many rows match now"),
            )),
        (status = 400, description = "A parameter is unknown or not valid, names what is nowhere here, or is not for this export; or the request has not just one token"),
        (status = 401, description = "No token, or one that does not count", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 404, description = "There is no such kind of file"),
        (status = 422, description = "More rows than a spreadsheet can hold"),
        (status = 503, description = "The rows are not there yet: try again"),
    )
)]
#[head("/api/exports/contacts.{format}")]
pub(crate) async fn head_contacts(
    caller: Authorized<TakesLeadsOut>,
    request: HttpRequest,
    format: Path<String>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    answer_head(ExportKind::Contacts, &caller.principal, &request, &format, &context).await
}

async fn answer(
    kind: ExportKind,
    caller: &Principal,
    request: &HttpRequest,
    format: &str,
    context: &Context,
) -> Result<HttpResponse, Problem> {
    let Asked { export, file, format, filters } = Asked::of(kind, request, format)?;
    let ready = caught_up(kind, context).await?;
    let (pool, campaigns) = (context.store.pool().clone(), ready.campaigns.as_ref());
    let exported = projections::export::start(pool, export, format, ready.head, campaigns).await?;
    note(caller, request, &filters, exported.rows);
    Ok(send(exported, &ready, kind, file))
}

/// Counts, and makes nothing: a large workbook takes long, and nobody would read it.
async fn answer_head(
    kind: ExportKind,
    caller: &Principal,
    request: &HttpRequest,
    format: &str,
    context: &Context,
) -> Result<HttpResponse, Problem> {
    let Asked { export, file, format, filters } = Asked::of(kind, request, format)?;
    let ready = caught_up(kind, context).await?;
    let (pool, campaigns) = (context.store.pool().clone(), ready.campaigns.as_ref());
    let rows = projections::export::count(pool, export, format, ready.head, campaigns).await?;
    note(caller, request, &filters, rows);
    Ok(headers(kind, file, &ready, rows).body(body::None::new()))
}

/// Says in the log who took what out. Of filters the names: their values may be somebody's.
fn note(caller: &Principal, request: &HttpRequest, filters: &str, rows: u64) {
    let (method, route) = (request.method(), request.path());
    tracing::info!(caller = %caller.subject, %method, route, filters, rows, "leads are taken out");
}

/// What a request asks for.
struct Asked {
    export: Export,
    file: FileType,
    format: Format,
    /// Names of the filters that it sets.
    filters: String,
}

impl Asked {
    fn of(kind: ExportKind, request: &HttpRequest, format: &str) -> Result<Self, Problem> {
        let file: FileType = format.parse().map_err(|_| {
            Problem::not_found("There is no such kind of file. An export ends in csv, xlsx or ndjson.")
        })?;
        let query: ExportQuery = query::read(request)?;
        let export = Export::new(kind, query.filter()?)?;
        Ok(Self { export, file, format: query.format(file)?, filters: query.names_of_filters() })
    }
}

/// What an export stands on.
struct Ready {
    /// The rows hold everything up to here,
    head: u64,
    /// but for so many events that could not be read.
    parked: u64,
    campaigns: Arc<PublishedCampaigns>,
}

/// Waits until the rows hold everything up to the log's head.
async fn caught_up(kind: ExportKind, context: &Context) -> Result<Ready, Problem> {
    let pool = context.store.pool();
    let head = event_store::head(pool).await?.position;
    context.projections.wake();
    projections::wait_while_it_moves(pool, kind.projection(), head, CATCH_UP_TIMEOUT, MAX_STILL).await?;
    let parked = projections::parked_count(pool, kind.projection().name, head).await?;
    Ok(Ready { head, parked, campaigns: context.store.refreshed_campaigns().await? })
}

fn headers(kind: ExportKind, file: FileType, ready: &Ready, rows: u64) -> HttpResponseBuilder {
    let name = format!("{}.{}", kind.as_str(), file.as_str());
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.media_type())
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("leadlog-head", ready.head.to_string()))
        .insert_header(("leadlog-parked", ready.parked.to_string()))
        .insert_header(("leadlog-rows", rows.to_string()));
    response
}

fn send(exported: Exported, ready: &Ready, kind: ExportKind, file: FileType) -> HttpResponse {
    let mut response = headers(kind, file, ready, exported.rows);
    let chunks = exported
        .chunks
        .inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "an export was cut"));
    match exported.bytes {
        // Packed already: to pack it again would save nothing, and cost it its length.
        Some(bytes) => {
            response.insert_header(ContentEncoding::Identity).body(SizedStream::new(bytes, chunks))
        }
        None => response.streaming(chunks),
    }
}

impl ExportQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        Ok(Filter {
            campaign: parsed("campaign", self.campaign.as_deref(), "the id of a campaign")?,
            device: parsed("device", self.device.as_deref(), "the id of a device")?,
            from: parsed("from", self.from.as_deref(), MOMENT)?,
            to: parsed("to", self.to.as_deref(), MOMENT)?,
            consent: parsed("consent", self.consent.as_deref(), "the id of a consent")?,
        })
    }

    fn names_of_filters(&self) -> String {
        let given = [
            ("campaign", &self.campaign),
            ("device", &self.device),
            ("from", &self.from),
            ("to", &self.to),
            ("consent", &self.consent),
        ];
        let names = given.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name);
        names.collect::<Vec<_>>().join(",")
    }

    fn format(&self, file: FileType) -> Result<Format, Problem> {
        let delimiter: Option<Delimiter> =
            parsed("delimiter", self.delimiter.as_deref(), "semicolon or comma")?;
        let has_byte_order_mark = parsed("bom", self.bom.as_deref(), "true or false")?;
        Ok(file.with(delimiter, has_byte_order_mark)?)
    }
}

const MOMENT: &str = "a date and time with an offset, such as 2026-05-23T00:00:00Z or, as a URL writes it, \
                      2026-05-23T00:00:00%2B02:00";

fn parsed<T: FromStr>(name: &str, text: Option<&str>, kind: &str) -> Result<Option<T>, Problem> {
    let value = text.map(str::parse).transpose();
    value.map_err(|_| Problem::bad_parameter(format!("The parameter {name} is not {kind}.")))
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        Self::bad_parameter(sentence(&error))
    }
}

impl From<FormatError> for Problem {
    fn from(error: FormatError) -> Self {
        Self::bad_parameter(sentence(&error))
    }
}

impl From<WaitError> for Problem {
    fn from(error: WaitError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "an export could not begin");
        Self::unavailable(match error {
            WaitError::StandsStill { .. } => {
                "The rows for this export are out of date, and nothing brings them up to date. The server's log says why."
            }
            WaitError::Database(DatabaseError::Refused(_)) => {
                "The database refuses what this export needs. The server's log says why."
            }
            WaitError::Database(DatabaseError::Silent(_)) | WaitError::Timeout { .. } => {
                "The rows for this export are not ready yet. Try again."
            }
        })
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        if matches!(error, ExportError::TooManyRows { .. }) {
            return Self::too_many_rows(sentence(&error));
        }
        if matches!(error, ExportError::Unknown { .. }) {
            return Self::bad_parameter(sentence(&error));
        }
        tracing::error!(error = &error as &dyn std::error::Error, "an export could not begin");
        Self::unavailable(match error {
            ExportError::Workbook { .. } => {
                "The server cannot make the spreadsheet: its log says why, perhaps there is no room. Take csv or ndjson."
            }
            ExportError::Database(DatabaseError::Refused(_)) => {
                "The database refuses what this export needs. The server's log says why."
            }
            _ => "The export could not begin. Try again.",
        })
    }
}

/// An error as the detail of a problem.
fn sentence(error: &impl std::error::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}
