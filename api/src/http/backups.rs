//! `/api/backups`, `/api/devices/{deviceId}/backups`: snapshots of devices, on their way in and back.
//!
//! A device gives its own, and takes back those of every installation that was enrolled under its name for its campaign: after
//! its storage was wiped it is another installation. Who organizes an event sees all.

use std::collections::BTreeSet;

use actix_web::http::header::{self, Encoding, Header};
use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, get, put};
use domain::{DeviceId, MAX_SNAPSHOT_BYTES, Scope, SyncRequest, Timestamp};
use identity::{Principal, Subject};
use intake::Arrival;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::authorization::{Authorized, GivesBackups, TakesBackups, Voice};
use super::problem::Problem;
use super::{Context, authorization, body};
use crate::backups::{self, Backup, Packed};

/// How many snapshots are unpacked and read at once. A large one takes memory and a second of a processor; the others
/// wait as they came, compressed.
const MAX_UNPACKED_AT_ONCE: usize = 2;

static UNPACKING: Semaphore = Semaphore::const_new(MAX_UNPACKED_AT_ONCE);

/// A device's whole outbox, for the document; unknown fields are kept.
#[derive(ToSchema)]
#[schema(as = Snapshot, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
struct SnapshotBody {
    /// `leadlog-snapshot`
    #[schema(example = "leadlog-snapshot")]
    format: String,
    /// Form of the document.
    #[schema(example = 1)]
    v: u32,
    /// The installation that it is of.
    device_id: DeviceId,
    /// The highest number that the installation has saved.
    saved_through: Option<u64>,
    /// When it was taken, in milliseconds since 1970 by the device's clock.
    taken_at: i64,
    /// The records as they stand on the device.
    records: SnapshotRecords,
    /// Forms that were saved while the device library could not start.
    pending_forms: Option<Vec<Value>>,
}

/// The records of a snapshot.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct SnapshotRecords {
    /// Entries, each with its exact bytes as a string.
    entries: Vec<Value>,
    /// What stores have said about them.
    marks: Option<Vec<Value>>,
    /// What is known about stores.
    stores: Option<Value>,
}

/// Where a snapshot is kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct StoredBackup {
    /// Version of the backup that holds it.
    version: u64,
    /// Versions of leads in it.
    entries: u64,
}

/// A list of backups.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackupList {
    /// Newest first.
    backups: Vec<Backup>,
}

/// Keeps a snapshot of a device: the last 8 versions of each installation.
///
/// The same records as in the newest version are not stored again. People who were erased are taken out. No lead is
/// recorded by this: a backup is a safety net beside the log.
#[utoipa::path(
    operation_id = "putBackup",
    tag = "backups",
    params(("deviceId" = String, Path, description = "The installation; the document must be its own")),
    request_body(content = SnapshotBody, content_type = "application/json"),
    security(("oauth" = ["capture"]), ("oauth" = ["relay"]), ("bearer" = ["capture"]), ("bearer" = ["relay"])),
    responses(
        (status = 201, description = "Stored", body = StoredBackup),
        (status = 200, description = "The newest version holds the same, or what a hub brings is older; nothing was stored", body = StoredBackup),
        (status = 400, description = "Not a snapshot, or that of another installation", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this, or for another device", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 32 MiB, unpacked", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "An encoding other than gzip", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[put("/api/devices/{deviceId}/backups")]
pub(crate) async fn put_backup(
    caller: Authorized<GivesBackups>,
    request: HttpRequest,
    device_id: Path<String>,
    payload: Payload,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    let device_id = device(&device_id)?;
    check_is_own(&caller.principal, &device_id, &context).await?;
    // A hub brings what it was given, perhaps long ago: the device may have brought a newer one itself, and is not heard by this.
    let is_relayed = authorization::is_hub(&caller.principal);
    let received = body::receive(&request, payload, MAX_SNAPSHOT_BYTES).await?;
    let packed = pack(received).await?;
    if packed.device_id != device_id {
        return Err(Problem::bad_parameter(
            "The deviceId in the path is not that of the snapshot. Send a snapshot to its own installation.",
        ));
    }
    let saved_through = packed.saved_through;
    let kept = if is_relayed {
        backups::put_if_newer(context.store.pool(), packed).await?
    } else {
        backups::put(context.store.pool(), packed).await?
    };
    if !is_relayed {
        hear(&context, device_id, saved_through).await;
    }
    let mut response = if kept.is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(StoredBackup { version: kept.version, entries: kept.entries }))
}

/// Only the installation itself gives its backups: 8 of somebody else would push out the good ones.
async fn check_is_own(caller: &Principal, device_id: &DeviceId, context: &Context) -> Result<(), Problem> {
    match Voice::of(caller, context).await? {
        Voice::Any => Ok(()),
        Voice::Of(device) if device.own == *device_id => Ok(()),
        Voice::Of(_) | Voice::None => Err(Problem::not_yours(
            "The deviceId in the path is not the installation that this token was given to.",
        )),
    }
}

/// Whose backups a caller may see.
enum Visible {
    All,
    Of(BTreeSet<DeviceId>),
}

impl Visible {
    async fn to(caller: &Principal, context: &Context) -> Result<Self, Problem> {
        if caller.scopes.contains(Scope::Organize) {
            return Ok(Self::All);
        }
        let Subject::Device(id) = &caller.subject else { return Ok(Self::Of(BTreeSet::new())) };
        let enrolments =
            context.authority.enrolments().await.map_err(|error| authorization::unavailable(&error))?;
        Ok(Self::Of(enrolments.installations_of(id)))
    }

    fn includes(&self, device_id: &DeviceId) -> bool {
        match self {
            Self::All => true,
            Self::Of(devices) => devices.contains(device_id),
        }
    }
}

async fn pack(received: body::Received) -> Result<Packed, Problem> {
    let busy = || Problem::unavailable("Too many backups come at once. Try again.");
    let _permit = UNPACKING.acquire().await.map_err(|_| busy())?;
    let packed = actix_web::web::block(move || {
        let document = received.unpack(MAX_SNAPSHOT_BYTES)?;
        let document =
            std::str::from_utf8(&document).map_err(|_| Problem::not_json("The body is not UTF-8."))?;
        Packed::pack(document)
            .map_err(|error| Problem::not_json(format!("The body is no snapshot: {error}. See /docs.")))
    });
    packed.await.map_err(|_| busy())?
}

/// A backup says how far its device has got, like every sync (invariant 9). It is kept whether or not this succeeds:
/// the next sync says it again.
async fn hear(context: &Context, sender: DeviceId, saved_through: Option<u64>) {
    let report = SyncRequest { sender: Some(sender), saved_through, ..SyncRequest::default() };
    let (store, queue, relay) = (&context.store, &context.queue, context.relay_progress());
    let (campaigns, now) = (store.campaigns(), Arrival::trusted(Timestamp::new(OffsetDateTime::now_utc())));
    let heard =
        intake::answer(store.log(), queue, campaigns.as_ref(), store.identity(), &relay, now, &report).await;
    if let Err(error) = heard {
        tracing::warn!(%error, "how far a device has got was not recorded");
    }
}

/// The newest backups of all installations that the caller may see, at most 200.
#[utoipa::path(
    operation_id = "listBackups",
    tag = "backups",
    security(("oauth" = ["capture"]), ("oauth" = ["organize"]), ("bearer" = ["capture"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "The backups", body = BackupList),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 503, description = "The database does not answer: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/backups")]
pub(crate) async fn list_backups(
    caller: Authorized<TakesBackups>,
    context: Data<Context>,
) -> Result<Json<BackupList>, Problem> {
    let only = match Visible::to(&caller.principal, &context).await? {
        Visible::All => None,
        Visible::Of(devices) => Some(devices),
    };
    Ok(Json(BackupList { backups: backups::list(context.store.pool(), only.as_ref()).await? }))
}

/// The backups of one installation.
#[utoipa::path(
    operation_id = "listBackupsOfDevice",
    tag = "backups",
    params(("deviceId" = String, Path, description = "The installation")),
    security(("oauth" = ["capture"]), ("oauth" = ["organize"]), ("bearer" = ["capture"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "The backups; none of an installation that sent none, or that the caller may not see", body = BackupList),
        (status = 400, description = "Not the id of an installation", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 503, description = "The database does not answer: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/devices/{deviceId}/backups")]
pub(crate) async fn list_backups_of_device(
    caller: Authorized<TakesBackups>,
    device_id: Path<String>,
    context: Data<Context>,
) -> Result<Json<BackupList>, Problem> {
    let device_id = device(&device_id)?;
    if !Visible::to(&caller.principal, &context).await?.includes(&device_id) {
        return Ok(Json(BackupList { backups: Vec::new() }));
    }
    Ok(Json(BackupList { backups: backups::of_device(context.store.pool(), &device_id).await? }))
}

/// The snapshot in a backup, as it was sent, without people who were erased since.
#[utoipa::path(
    operation_id = "getBackup",
    tag = "backups",
    params(
        ("deviceId" = String, Path, description = "The installation"),
        ("version" = u64, Path, description = "Version of the backup"),
    ),
    security(("oauth" = ["capture"]), ("oauth" = ["organize"]), ("bearer" = ["capture"]), ("bearer" = ["organize"])),
    responses(
        (status = 200, description = "The snapshot", body = SnapshotBody, content_type = "application/json"),
        (status = 400, description = "Not the id of an installation", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or one that does not count", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 403, description = "The token is not for this", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`, with the reason and a scope that is enough"))),
        (status = 404, description = "There is no such backup, or the caller may not see it", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/devices/{deviceId}/backups/{version}")]
pub(crate) async fn get_backup(
    caller: Authorized<TakesBackups>,
    path: Path<(String, String)>,
    request: HttpRequest,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    let (device_id, version) = path.into_inner();
    let device_id = device(&device_id)?;
    let unknown = || Problem::not_found("There is no such backup. The list is at /api/backups.");
    let version = Some(version.parse().map_err(|_| unknown())?);
    if !Visible::to(&caller.principal, &context).await?.includes(&device_id) {
        return Err(unknown());
    }
    tracing::info!(caller = %caller.principal.subject, device = %device_id, "a backup is taken out");
    let pool = context.store.pool();
    let mut response = HttpResponse::Ok();
    response.content_type("application/json").insert_header((header::CACHE_CONTROL, "no-store"));
    if accepts_gzip(&request) {
        // It is stored that way.
        let (_, content) = backups::content(pool, &device_id, version).await?.ok_or_else(unknown)?;
        return Ok(response.insert_header((header::CONTENT_ENCODING, "gzip")).body(content));
    }
    let (_, document) = backups::document(pool, &device_id, version).await?.ok_or_else(unknown)?;
    Ok(response.body(document))
}

fn accepts_gzip(request: &HttpRequest) -> bool {
    header::AcceptEncoding::parse(request).is_ok_and(|accepted| {
        accepted.negotiate([Encoding::gzip(), Encoding::identity()].iter()) == Some(Encoding::gzip())
    })
}

fn device(id: &str) -> Result<DeviceId, Problem> {
    id.parse().map_err(|error| Problem::bad_parameter(format!("The deviceId in the path {error}.")))
}
