//! `leadlog devices enrol`, `enrolled` and `revoke`.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{ArgGroup, Args};
use domain::{CampaignId, DeviceId, DeviceName, Enrolment, EnrolmentId, Timestamp};
use identity::{CODE_LIFETIME, EnrollingError, Enrolments, KnownEnrolments, MAX_CODE_LIFETIME, Offered};
use serde::Serialize;

use super::link::{self, Link};
use super::{DatabaseArgs, lifetime, output, qr};
use crate::store::Store;

/// Makes a one-time code that lets one iPad in, and prints it as a link and, at a terminal, as a QR code.
///
/// On the iPad, open the app from the home screen, tap the line about connecting, and scan the code there: the camera app would open
/// Safari, whose storage is another. The code works once, for ten minutes. What was saved before is sent then.
///
/// Give an iPad that was wiped or replaced the same name again: it gets back the backups of those before it.
#[derive(Args)]
pub(super) struct Enrol {
    /// What you call the iPad, for example "iPad 7". It stands in lists and logs, so name no person.
    #[arg(value_name = "NAME")]
    name: DeviceName,

    /// What it captures for; `leadlog campaigns list` names them. Needed when there is more than one.
    #[arg(long, value_name = "CAMPAIGN")]
    campaign: Option<CampaignId>,

    /// How long the code works, for example 10m or 2h; 24h at most.
    #[arg(long = "for", value_name = "SPAN", default_value = "10m", value_parser = lifetime::parse)]
    lifetime: Duration,

    /// Where iPads open the app, for the link: https://leads.example.com. An iPad has keys of its own over HTTPS only.
    #[arg(long, env = "LEADLOG_PUBLIC_URL", value_name = "URL")]
    url: Option<String>,

    /// Print one JSON object instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Lists every enrolment: which iPad came in, and when, and which code still waits for one.
#[derive(Args)]
pub(super) struct Enrolled {
    /// Print one JSON array instead, for programs.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Shuts an iPad out, within a second, in every server of the store.
///
/// It reads nothing any more. What it still holds it may hand in; that waits in the quarantine, and nothing is lost:
/// `leadlog quarantine list` names it, `release` takes it for a lead. To let the iPad in again, `leadlog devices enrol`.
#[derive(Args)]
#[command(group(ArgGroup::new("enrolments").required(true)))]
pub(super) struct Revoke {
    /// The name of the iPad, for everything that was enrolled under it, or the id of one enrolment.
    #[arg(value_name = "NAME|ENROLMENT", group = "enrolments")]
    which: Option<String>,

    /// Every iPad and every code that waits for one, for a copy of a store.
    #[arg(long, group = "enrolments")]
    all: bool,

    #[command(flatten)]
    database: DatabaseArgs,
}

impl Enrol {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { name, campaign, lifetime, url, json, database } = self;
        ensure!(
            !lifetime.is_zero(),
            "a code must work for a while; say how long with --for, for example 10m"
        );
        ensure!(
            lifetime <= MAX_CODE_LIFETIME,
            "a code works for 24h at most; make it when the iPad is there"
        );
        if let Some(url) = &url {
            link::check_base_url(url)?;
            if link::is_plain_http(url) {
                eprintln!(
                    "Browsers make no keys over plain HTTP, so no iPad comes in by this link; put HTTPS in front."
                );
            }
        }
        database
            .with_store_to_append(async |store| {
                let campaign = choose(store, campaign.clone()).await?;
                let known = before(&*known(store).await?, &name, &campaign);
                let offered = identity::offer(store.pool(), name.clone(), campaign.clone(), lifetime).await?;
                let link = Link::to_connect(url.as_deref(), &offered.code);
                let shown = Shown::of(&name, &campaign, &offered, link.as_str());
                // At once, while nothing can come between: nobody can make the store say it again.
                show(&shown, url.is_some(), json)?;
                if !json {
                    writeln!(std::io::stdout(), "{known}")?;
                }
                Ok(())
            })
            .await
    }
}

/// Says what was enrolled under this name before: whose backups the device will see.
fn before(enrolments: &Enrolments, name: &DeviceName, campaign: &CampaignId) -> String {
    let came_in = || {
        let enrolments = enrolments.iter().filter_map(|(_, enrolment)| enrolment);
        enrolments.filter(|it| it.device().is_some()).filter_map(Enrolment::offer)
    };
    let count = came_in().filter(|it| it.device_name == *name && it.campaign_id == *campaign).count();
    if count > 0 {
        return format!("Enrolled as {name} before: {count}; this one will see their backups.");
    }
    let plain = |name: &DeviceName| name.to_string().to_lowercase().replace(char::is_whitespace, "");
    let alike = came_in().find(|it| plain(&it.device_name) == plain(name));
    match alike {
        Some(other) => format!(
            "{name} is a new name for {campaign}. It will not see the backups of {}, for {}.",
            other.device_name, other.campaign_id
        ),
        None => format!("{name} is a new name."),
    }
}

/// The campaign that is meant: the one that there is, or the one that was named.
async fn choose(store: &Store, named: Option<CampaignId>) -> anyhow::Result<CampaignId> {
    let campaigns = store.refreshed_campaigns().await?;
    let mut known: Vec<&CampaignId> = campaigns.iter().map(|version| &version.campaign.id).collect();
    known.dedup();
    let names = || known.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    match (named, &known[..]) {
        (Some(named), known) if known.contains(&&named) => Ok(named),
        (Some(named), _) => bail!("there is no campaign {named}; there are: {}", names()),
        (None, [only]) => Ok((*only).clone()),
        (None, _) => bail!("say which campaign it captures for with --campaign: {}", names()),
    }
}

/// A code for the one time that it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    enrolment_id: &'a EnrolmentId,
    device_name: &'a DeviceName,
    campaign_id: &'a CampaignId,
    code: String,
    link: &'a str,
    expires_at: Timestamp,
}

impl<'a> Shown<'a> {
    fn of(name: &'a DeviceName, campaign: &'a CampaignId, offered: &'a Offered, link: &'a str) -> Self {
        Self {
            enrolment_id: &offered.id,
            device_name: name,
            campaign_id: campaign,
            code: offered.code.reveal(),
            link,
            expires_at: offered.expires_at,
        }
    }
}

fn show(shown: &Shown<'_>, is_link_whole: bool, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, shown)?;
        return Ok(writeln!(out)?);
    }
    let Shown { device_name, campaign_id, code, link, expires_at, .. } = shown;
    writeln!(out, "{device_name}, for {campaign_id}\n\n  code  {code}\n  link  {link}\n")?;
    // A code without the server's address is of use, too: the app on the iPad has that.
    if out.is_terminal()
        && let Some(picture) = qr::picture(link)
    {
        writeln!(out, "{picture}")?;
    }
    writeln!(out, "It works once, until {expires_at}, and is not shown again.")?;
    writeln!(
        out,
        "On the iPad, open the app from the home screen, tap the line about connecting, and scan or type the code there."
    )?;
    if !is_link_whole {
        writeln!(out, "For a link that can be opened, say where the app is: --url https://…")?;
    }
    Ok(())
}

impl Enrolled {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (enrolments, now) = self
            .database
            .with_store(async |store| Ok((known(store).await?, identity::database_now(store.pool()).await?)))
            .await?;
        let rows: Vec<Row> = enrolments.iter().map(|(id, enrolment)| Row::of(id, enrolment)).collect();
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, &rows)?;
            return Ok(writeln!(out)?);
        }
        if rows.is_empty() {
            return Ok(writeln!(
                out,
                "No iPad was enrolled yet; `leadlog devices enrol \"iPad 1\"` makes a code for one."
            )?);
        }
        let heading = ["enrolment", "name", "campaign", "device", "standing"];
        let mut table = vec![heading.map(str::to_owned)];
        table.extend(rows.iter().map(|row| row.cells(now)));
        Ok(output::write_table(&table, out)?)
    }
}

impl Revoke {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self { which, database, .. } = self;
        let revoked = database
            .with_store_to_append(async |store| {
                let enrolments = known(store).await?;
                let meant = match &which {
                    Some(which) => meant(&enrolments, which)?,
                    None => working(readable(&enrolments)),
                };
                for Meant { id, .. } in &meant {
                    match identity::revoke_enrolment(store.pool(), id).await {
                        // Somebody else did at the same moment.
                        Ok(()) | Err(EnrollingError::Refused(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(meant)
            })
            .await?;
        let mut out = std::io::stdout().lock();
        if revoked.is_empty() {
            writeln!(out, "No iPad is left to shut out, and no code waits for one.")?;
        }
        for Meant { id, name, device } in revoked {
            match device {
                Some(device) => writeln!(
                    out,
                    "{name} is shut out (enrolment {id}, device {device}); what it hands in waits in the quarantine"
                )?,
                None => writeln!(out, "the code for {name} works no longer (enrolment {id})")?,
            }
        }
        Ok(())
    }
}

/// An enrolment that is to end.
struct Meant {
    id: EnrolmentId,
    name: DeviceName,
    /// Which came in by it.
    device: Option<DeviceId>,
}

/// The enrolments that a name or an id means, but those that were revoked.
fn meant(enrolments: &Enrolments, which: &str) -> anyhow::Result<Vec<Meant>> {
    let is_meant = |id: &EnrolmentId, enrolment: &Enrolment| {
        id.as_str() == which || enrolment.offer().is_some_and(|offer| offer.device_name.to_string() == which)
    };
    let all: Vec<_> = readable(enrolments).filter(|(id, enrolment)| is_meant(id, enrolment)).collect();
    ensure!(
        !all.is_empty(),
        "nothing was enrolled as {which:?}; `leadlog devices enrolled` names what there is"
    );
    let working = working(all);
    ensure!(!working.is_empty(), "{which} was revoked already");
    Ok(working)
}

/// Those that this program understands: one that a newer one has written about lets nobody in here.
fn readable(enrolments: &Enrolments) -> impl Iterator<Item = (&EnrolmentId, &Enrolment)> {
    enrolments.iter().filter_map(|(id, enrolment)| Some((id, enrolment?)))
}

fn working<'a>(enrolments: impl IntoIterator<Item = (&'a EnrolmentId, &'a Enrolment)>) -> Vec<Meant> {
    let working = enrolments.into_iter().filter(|(_, enrolment)| enrolment.revoked_at().is_none());
    let meant = working.filter_map(|(id, enrolment)| {
        let name = enrolment.offer()?.device_name.clone();
        Some(Meant { id: id.clone(), name, device: enrolment.device().map(|it| it.device_id.clone()) })
    });
    meant.collect()
}

/// Every enrolment of the store.
pub(super) async fn known(store: &Store) -> anyhow::Result<Arc<Enrolments>> {
    Ok(KnownEnrolments::new(store.log().clone()).refresh().await?)
}

/// One enrolment as it is listed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    enrolment_id: EnrolmentId,
    /// Null, as all that follows, of one that this program cannot read.
    device_name: Option<DeviceName>,
    campaign_id: Option<CampaignId>,
    /// Null when none came in.
    device_id: Option<DeviceId>,
    code_expires_at: Option<Timestamp>,
    enrolled_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl Row {
    fn of(id: &EnrolmentId, enrolment: Option<&Enrolment>) -> Self {
        let offer = enrolment.and_then(Enrolment::offer);
        Self {
            enrolment_id: id.clone(),
            device_name: offer.map(|offer| offer.device_name.clone()),
            campaign_id: offer.map(|offer| offer.campaign_id.clone()),
            device_id: enrolment.and_then(Enrolment::device).map(|device| device.device_id.clone()),
            code_expires_at: offer.map(|offer| offer.expires_at),
            enrolled_at: enrolment.and_then(Enrolment::enrolled_at),
            revoked_at: enrolment.and_then(Enrolment::revoked_at),
        }
    }

    fn cells(&self, now: Timestamp) -> [String; 5] {
        let standing = match (self.revoked_at, self.enrolled_at, self.code_expires_at) {
            (Some(at), ..) => format!("revoked {at}"),
            (None, Some(at), _) => format!("enrolled {at}"),
            (None, None, Some(end)) if now < end => format!("its code works until {end}"),
            (None, None, Some(end)) => format!("its code expired unused {end}"),
            (None, None, None) => "a newer program wrote about it; update this one".to_owned(),
        };
        fn or_dash<T: ToString>(value: Option<&T>) -> String {
            value.map_or_else(|| "-".to_owned(), T::to_string)
        }
        [
            self.enrolment_id.to_string(),
            or_dash(self.device_name.as_ref()),
            or_dash(self.campaign_id.as_ref()),
            or_dash(self.device_id.as_ref()),
            standing,
        ]
    }
}

/// What the newest enrolment of an installation calls it, and whether that was revoked.
pub(super) fn name_of(enrolments: &Enrolments, device: &DeviceId) -> Option<(DeviceName, bool)> {
    let of_device = enrolments
        .iter()
        .filter_map(|(_, enrolment)| enrolment)
        .filter(|enrolment| enrolment.device().is_some_and(|known| known.device_id == *device));
    let newest = of_device.max_by_key(|enrolment| enrolment.enrolled_at())?;
    newest.offer().map(|offer| (offer.device_name.clone(), newest.revoked_at().is_some()))
}

/// Every installation that came in, once.
pub(super) fn installations(enrolments: &Enrolments) -> BTreeSet<DeviceId> {
    let came_in = readable(enrolments).filter_map(|(_, enrolment)| enrolment.device());
    came_in.map(|device| device.device_id.clone()).collect()
}

/// Makes a code for the first device of a store; `None` when one came in already.
pub(super) async fn invite_first(store: &Store) -> anyhow::Result<Option<Offered>> {
    /// A newcomer reads first.
    const LIFETIME: Duration = Duration::from_secs(60 * 60);
    const _: () = assert!(LIFETIME.as_secs() > CODE_LIFETIME.as_secs());
    let enrolments = known(store).await?;
    if enrolments.iter().any(|(_, enrolment)| enrolment.is_none_or(|it| it.device().is_some())) {
        return Ok(None);
    }
    let campaigns = store.campaigns();
    let Some(campaign) = campaigns.iter().map(|version| version.campaign.id.clone()).next() else {
        return Ok(None);
    };
    Ok(Some(identity::offer(store.pool(), "first device".parse()?, campaign, LIFETIME).await?))
}
