//! A store that holds many leads already.
//!
//! It is filled by the product itself: [`intake::answer`], the whole answer to a device but for HTTP, judges each entry
//! and appends it. So positions, digests, claims and all else are what a server would have written. The batches are
//! those of a hub that relays: everything that was captured, in the order of the captures.
//!
//! That the folds have something to do, every fiftieth lead is corrected two minutes later (every fourth of these gets
//! another e-mail address, the rest another telephone number), and one of a hundred has the address of an earlier one.

use std::collections::VecDeque;
use std::pin::pin;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use domain::{EmbeddedCampaigns, Entry, LeadEvent, SyncRequest, Tier, Timestamp, Verdict};
use event_store::PostgresLog;
use futures_util::{StreamExt, stream};
use intake::{Arrival, Direct, RelayProgress, StoreIdentity};
use tokio::sync::mpsc;

use crate::database::Database;
use crate::leads::{LeadMaker, email_of};

/// As many as the server's intake appends in one transaction.
const BATCH_LEADS: usize = 1_000;

/// While PostgreSQL appends one, another is judged.
const BATCHES_IN_FLIGHT: usize = 2;

/// Batches that are made ahead.
const BATCHES_AHEAD: usize = 4;

const DEVICES: u64 = 20;

/// The leads of a filled store begin so, and those of the load that it then gets must not.
pub(crate) const MAILBOX: &str = "lead";

const CORRECTED_ONE_IN: u64 = 50;
const CORRECTED_LEADS_LATER: u64 = 3_000;
/// Of those that are corrected.
const OTHER_EMAIL_ONE_IN: u64 = 4;

const KNOWN_EMAIL_ONE_IN: u64 = 100;
const KNOWN_EMAIL_REMAINDER: u64 = 57;
/// How much earlier the lead came whose address it has: through another device, and one that nobody corrects.
const KNOWN_EMAIL_LEADS_BEFORE: u64 = 51;

/// Fills a store, at once or bit by bit.
pub(crate) struct Filler {
    history: History,
    filled: Filled,
}

/// What a store was filled with.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filled {
    pub(crate) leads: u64,
    /// Leads and later versions of them.
    pub(crate) events: u64,
    /// Leads whose e-mail address an earlier one has.
    pub(crate) known_emails: u64,
}

impl Filled {
    /// How many contacts these leads are.
    pub(crate) const fn contacts(&self) -> u64 {
        self.leads - self.known_emails
    }
}

impl Filler {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { history: History::new()?, filled: Filled::default() })
    }

    /// Appends until the store has this many leads, and checks that it holds what was appended, by verdict. No server
    /// need run.
    pub(crate) async fn fill(self, database: &Database, leads: u64) -> Result<Self> {
        let Self { history, mut filled } = self;
        let pool = event_store::connect(&database.url(), 4).await?;
        event_store::migrate(&pool).await?;
        let head = event_store::head(&pool).await?;
        let identity = StoreIdentity { id: head.store_id, tier: Tier::Cloud };

        let (ready, batches) = mpsc::channel(BATCHES_AHEAD);
        let making = thread::spawn(move || history.make(leads, &ready));
        append_all(PostgresLog::new(pool.clone()), identity, batches, &mut filled).await?;
        let history = making.join().map_err(|_| anyhow::anyhow!("leads could not be made"))??;
        ensure!(filled.leads == leads, "{leads} leads were to be filled in, and {filled:?} was appended");
        event_store::close(&pool).await;
        Ok(Self { history, filled })
    }

    pub(crate) const fn filled(&self) -> Filled {
        self.filled
    }
}

impl Filled {
    const fn add(&mut self, more: Self) {
        self.leads += more.leads;
        self.events += more.events;
        self.known_emails += more.known_emails;
    }
}

/// Entries that travel together, as the body of a request.
struct Batch {
    json: String,
    /// What the store must find in it.
    expected: Filled,
}

async fn append_all(
    log: PostgresLog,
    identity: StoreIdentity,
    batches: mpsc::Receiver<Batch>,
    filled: &mut Filled,
) -> Result<()> {
    let batches = stream::unfold(batches, async |mut batches| Some((batches.recv().await?, batches)));
    let appending = batches.map(|batch| append(&log, identity, batch)).buffered(BATCHES_IN_FLIGHT);
    let mut appending = pin!(appending);
    while let Some(appended) = appending.next().await {
        filled.add(appended?);
    }
    Ok(())
}

async fn append(log: &PostgresLog, identity: StoreIdentity, batch: Batch) -> Result<Filled> {
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let arrival = Arrival::trusted(Timestamp::from_unix_ms(now_ms, 0)?);
    let request: SyncRequest<'_> = serde_json::from_str(&batch.json)?;
    let (recorder, campaigns) = (Direct(log.clone()), EmbeddedCampaigns);
    let relay = RelayProgress::default();
    let answer = intake::answer(log, &recorder, &campaigns, identity, &relay, arrival, &request).await?;
    let mut appended = Filled::default();
    for result in &answer.results {
        match result.status {
            Verdict::Created => {}
            Verdict::DuplicateEmail => appended.known_emails += 1,
            other => anyhow::bail!("a lead of the filling got the verdict {other:?}: {:?}", result.errors),
        }
        appended.events += 1;
        appended.leads += u64::from(result.version == Some(1));
    }
    ensure!(appended == batch.expected, "{:?} was sent, and {appended:?} recorded", batch.expected);
    Ok(appended)
}

/// What happened in the hall, in order.
struct History {
    leads: LeadMaker,
    devices: Vec<(String, u64)>,
    /// Leads that are going to be corrected, with their numbers.
    to_correct: VecDeque<(u64, Entry)>,
}

impl History {
    fn new() -> Result<Self> {
        let devices = (1..=DEVICES).map(|number| (format!("ipad-hall-{number:02}"), 0)).collect();
        Ok(Self { leads: LeadMaker::new(MAILBOX)?, devices, to_correct: VecDeque::new() })
    }

    /// Makes batches until there are this many leads. Ends early when nobody takes them.
    fn make(mut self, leads: u64, ready: &mpsc::Sender<Batch>) -> Result<Self> {
        while self.leads.made() < leads {
            let batch = self.batch(leads)?;
            if ready.blocking_send(batch).is_err() {
                break;
            }
        }
        Ok(self)
    }

    fn batch(&mut self, leads: u64) -> Result<Batch> {
        let mut entries: Vec<String> = Vec::with_capacity(BATCH_LEADS);
        let mut expected = Filled::default();
        while entries.len() < BATCH_LEADS && self.leads.made() < leads {
            let number = self.leads.made();
            let due = self.to_correct.front().is_some_and(|(lead, _)| lead + CORRECTED_LEADS_LATER <= number);
            if let Some((lead, entry)) = self.to_correct.pop_front_if(|_| due) {
                entries.push(self.correction(lead, entry)?);
            } else {
                let (entry, is_known) = self.capture()?;
                expected.leads += 1;
                expected.known_emails += u64::from(is_known);
                entries.push(entry);
            }
        }
        expected.events = entries.len() as u64;
        Ok(Batch { json: format!(r#"{{"entries":[{}]}}"#, entries.join(",")), expected })
    }

    /// The next lead, and whether its e-mail address is known.
    fn capture(&mut self) -> Result<(String, bool)> {
        let number = self.leads.made();
        let (device, seq) = &mut self.devices[usize::try_from(number % DEVICES)?];
        *seq += 1;
        let mut entry = self.leads.entry(device, *seq)?;
        let is_known = number % KNOWN_EMAIL_ONE_IN == KNOWN_EMAIL_REMAINDER;
        if is_known {
            entry.contact.email = Some(email_of(MAILBOX, number - KNOWN_EMAIL_LEADS_BEFORE));
        }
        if number.is_multiple_of(CORRECTED_ONE_IN) {
            self.to_correct.push_back((number, entry.clone()));
        }
        Ok((serde_json::to_string(&LeadEvent::Captured(entry))?, is_known))
    }

    /// The next version of a lead, as its device makes it: complete, with a number and a time of its own.
    fn correction(&mut self, number: u64, mut entry: Entry) -> Result<String> {
        let (_, seq) = &mut self.devices[usize::try_from(number % DEVICES)?];
        *seq += 1;
        entry.version += 1;
        entry.device_seq = *seq;
        entry.captured_at = self.leads.captured_at(number + CORRECTED_LEADS_LATER)?;
        if (number / CORRECTED_ONE_IN).is_multiple_of(OTHER_EMAIL_ONE_IN) {
            entry.contact.email = Some(email_of("corrected", number));
        } else {
            entry.contact.phone = Some(self.leads.phone());
        }
        Ok(serde_json::to_string(&LeadEvent::Corrected(entry))?)
    }
}
