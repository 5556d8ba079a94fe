//! A hub between devices and the cloud: both the real program, each with a PostgreSQL of its own (TIER-4, invariants 2, 3, 6, 9).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use domain::{EnrolmentId, SyncResponse, Tier, Timestamp, Verdict};
use event_store::testing::fresh_store;
use identity::testing::KeyedDevice;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::program::{DataDir, Program, free_port, leadlog};
use crate::server::{lead, lead_with};

/// A machine that is slow fails no test; one that hangs does.
const PATIENCE: Duration = Duration::from_secs(90);

/// A place for a cloud or a hub: what it keeps, and where it listens.
pub(crate) struct Host {
    pub(crate) data: DataDir,
    listen: String,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self { data: DataDir::new(), listen: format!("127.0.0.1:{}", free_port()) }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.listen)
    }

    pub(crate) async fn token(&self) -> String {
        Program::token(&self.data.path(), "capture").await
    }

    pub(crate) fn cloud(&self) -> Program {
        Program::serve(&self.data.path(), &self.listen)
    }

    pub(crate) fn hub_of(&self, cloud: &Self, code: &str) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(["hub", "--cloud", &cloud.address(), "--code", code]);
        command.args(["--listen", &self.listen, "--data-dir"]).arg(self.data.path());
        command.env_remove("DATABASE_URL");
        Program::start(command)
    }

    /// A code that lets a hub in.
    pub(crate) async fn let_hub_in(&self) -> String {
        let shown = self.leadlog(&["hubs", "enrol", "hub-1", "--json"]).await;
        code_in(&shown)
    }

    /// What a command says about the store here.
    async fn leadlog(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(args).arg("--data-dir").arg(self.data.path()).env_remove("DATABASE_URL");
        let output = actix_web::web::block(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    async fn publish(&self, campaign: &Value) {
        let file = self.data.path().with_file_name("campaign.json");
        std::fs::write(&file, campaign.to_string()).unwrap();
        self.leadlog(&["campaigns", "publish", file.to_str().unwrap(), "--by", "Ewa"]).await;
    }

    /// A copy of the data folder, made while nothing runs there.
    fn copy(&self) -> PathBuf {
        let copy = self.data.path().with_file_name("copy");
        copy_folder(&self.data.path(), &copy);
        copy
    }

    fn restore(&self, copy: &Path) {
        std::fs::remove_dir_all(self.data.path()).unwrap();
        copy_folder(copy, &self.data.path());
    }
}

/// The one-time code that a command has shown.
pub(crate) fn code_in(shown: &str) -> String {
    let shown: Value = serde_json::from_str(shown).unwrap();
    shown["code"].as_str().unwrap().to_owned()
}

/// With owners and rights, as an administrator copies it.
fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// One request of a device; `None` when nobody answers.
pub(crate) async fn sync(address: &str, token: &str, body: &Value) -> Option<SyncResponse> {
    let client = awc::Client::builder().timeout(Duration::from_secs(10)).finish();
    let request = client.post(format!("{address}/api/leads/sync")).bearer_auth(token);
    let mut response = request.send_body(body.to_string()).await.ok()?;
    if response.status() != 200 {
        return None;
    }
    serde_json::from_slice(&response.body().await.ok()?).ok()
}

/// Gives these leads to a store, which takes them.
pub(crate) async fn give(address: &str, token: &str, numbers: impl IntoIterator<Item = u64>) {
    let entries: Vec<Value> = numbers.into_iter().map(lead).collect();
    let body = json!({ "entries": entries });
    let answer = until(|| sync(address, token, &body)).await;
    assert!(answer.results.iter().all(|result| result.status.is_stored()), "{:?}", answer.results);
}

/// Waits until the hub says that all that it has is in the cloud.
pub(crate) async fn all_relayed(address: &str, token: &str) -> SyncResponse {
    until(async || {
        let answer = sync(address, token, &json!({ "entries": [], "cloudVerdictsAfter": 0 })).await?;
        (answer.store.relayed_through == Some(answer.store.head)).then_some(answer)
    })
    .await
}

pub(crate) async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not come to pass");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The leads of a store whose server does not run, in the order of the export.
pub(crate) fn exported(data_dir: &Path) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command
        .args(["export", "leads", "--format", "csv", "--data-dir"])
        .arg(data_dir)
        .env_remove("DATABASE_URL");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    crate::exports::rows(&output.stdout).into_iter().map(|row| row["client_id"].clone()).collect()
}

#[actix_web::test]
async fn every_lead_of_a_hub_is_in_the_cloud_once_whatever_is_killed_or_restored() {
    let (cloud, hub) = (Host::new(), Host::new());
    let mut at_cloud = cloud.cloud();
    let code = cloud.let_hub_in().await;
    let mut at_hub = hub.hub_of(&cloud, &code);
    let token = hub.token().await;
    let address = hub.address();

    give(&address, &token, 1..=200).await;
    // In the middle of the work, or after it: the cloud has it in any case.
    at_hub.kill();
    at_hub = hub.hub_of(&cloud, &code);
    give(&address, &token, 201..=400).await;
    at_cloud.kill();
    give(&address, &token, 401..=420).await;
    let alone = sync(&address, &token, &json!({ "entries": [] })).await.unwrap();
    assert_eq!(alone.store.tier, Tier::Hub);
    assert!(alone.store.relayed_through < Some(alone.store.head), "nobody took what came since");
    at_cloud = cloud.cloud();
    let answer = all_relayed(&address, &token).await;
    assert!(answer.store.cloud_receipt.is_some(), "what proves it, for devices");

    // The cloud loses what came after a copy was made of it.
    assert!(at_cloud.interrupt());
    let copy = cloud.copy();
    at_cloud = cloud.cloud();
    give(&address, &token, 421..=440).await;
    all_relayed(&address, &token).await;
    assert!(at_cloud.interrupt());
    cloud.restore(&copy);
    at_cloud = cloud.cloud();
    give(&address, &token, [441]).await;
    all_relayed(&address, &token).await;

    // So does the hub, and goes on.
    assert!(at_hub.interrupt());
    let copy = hub.copy();
    at_hub = hub.hub_of(&cloud, &code);
    give(&address, &token, 442..=450).await;
    all_relayed(&address, &token).await;
    assert!(at_hub.interrupt());
    hub.restore(&copy);
    at_hub = hub.hub_of(&cloud, &code);
    give(&address, &token, 451..=460).await;
    all_relayed(&address, &token).await;

    assert!(at_hub.interrupt() && at_cloud.interrupt());
    let ids = exported(&cloud.data.path());
    let expected: BTreeSet<String> =
        (1..=460).map(|number| lead(number)["clientId"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), ids.into_iter().collect::<BTreeSet<_>>()), (460, expected), "all of them, once");
}

/// As by an administrator who restores a database that is in use: in the places of what was relayed there are other leads now.
#[actix_web::test]
async fn a_hub_whose_database_is_put_back_under_it_calls_nothing_relayed_that_is_not() {
    let ((_, of_cloud), (pool, of_hub)) = (fresh_store().await, fresh_store().await);
    let cloud = Program::serve_on(&of_cloud);
    let code = code_in(&leadlog(&of_cloud, &["hubs", "enrol", "hub-1", "--json"]).await.out);
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["hub", "--cloud", &cloud.address, "--code", &code]);
    command.args(["--listen", "127.0.0.1:0"]).env("DATABASE_URL", &of_hub);
    let hub = Program::start(command);
    let token = leadlog(&of_hub, &["tokens", "issue", "--scope", "capture"]).await.out.trim_end().to_owned();

    give(&hub.address, &token, 1..=2).await;
    all_relayed(&hub.address, &token).await;
    let tables = ["events", "email_claims", "relay_state", "log_head"];
    for table in tables {
        sqlx::query(&format!("CREATE TABLE old_{table} AS TABLE {table}")).execute(&pool).await.unwrap();
    }
    give(&hub.address, &token, 3..=6).await;
    all_relayed(&hub.address, &token).await;
    let mut restore = pool.begin().await.unwrap();
    for table in tables {
        let put_back = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM old_{table}");
        sqlx::raw_sql(&put_back).execute(&mut *restore).await.unwrap();
    }
    restore.commit().await.unwrap();

    give(&hub.address, &token, 7..=8).await;
    // What the hub says in the first moment is of before.
    until(async || {
        let exported = leadlog(&of_cloud, &["export", "leads", "--format", "csv"]).await.out;
        (crate::exports::rows(exported.as_bytes()).len() == 8).then_some(())
    })
    .await;
    all_relayed(&hub.address, &token).await;
    assert!(hub.interrupt() && cloud.interrupt());
}

/// What the cloud publishes is asked for by forms of the hub, also when the cloud is away.
#[actix_web::test]
async fn a_hub_has_the_campaigns_of_its_cloud_and_goes_on_with_them_alone() {
    let (cloud, hub) = (Host::new(), Host::new());
    let at_cloud = cloud.cloud();
    let code = cloud.let_hub_in().await;
    let newest = async || {
        let mut answer = awc::Client::default()
            .get(format!("{}/api/campaigns/shootout-2026", hub.address()))
            .send()
            .await
            .ok()?;
        let campaign: Value = serde_json::from_slice(&answer.body().await.ok()?).ok()?;
        (campaign["version"] == 2).then_some(())
    };
    cloud.publish(&crate::campaigns::second()).await;
    let at_hub = hub.hub_of(&cloud, &code);
    until(newest).await;

    assert!(at_hub.interrupt() && at_cloud.interrupt());
    let at_hub = hub.hub_of(&cloud, &code);
    assert_eq!(newest().await, Some(()));
    assert!(at_hub.interrupt());
}

/// "Relayed" is not "accepted".
#[actix_web::test]
async fn what_the_cloud_does_not_take_is_told_to_devices_and_holds_nothing_up() {
    let (cloud, hub) = (Host::new(), Host::new());
    let at_cloud = cloud.cloud();
    let code = cloud.let_hub_in().await;
    give(&cloud.address(), &cloud.token().await, [1]).await;
    let at_hub = hub.hub_of(&cloud, &code);
    let (address, token) = (hub.address(), hub.token().await);
    let other = lead_with(1, |lead| lead["contact"]["firstName"] = "Ewa".into());
    sync(&address, &token, &json!({ "entries": [other] })).await.unwrap();
    give(&address, &token, [2]).await;

    let answer = all_relayed(&address, &token).await;
    let told = answer.cloud_verdicts.unwrap().verdicts;
    let told: Vec<_> = told.iter().map(|it| (it.client_id.to_string(), it.result.status)).collect();
    assert_eq!(told, [(lead(1)["clientId"].as_str().unwrap().to_owned(), Verdict::Conflict)]);
    assert!(at_hub.interrupt() && at_cloud.interrupt());
}

#[actix_web::test]
async fn a_store_that_was_a_cloud_becomes_no_hub_and_a_hub_no_cloud() {
    let (pool, url) = fresh_store().await;
    let told = ["hub", "--cloud", "http://127.0.0.1:1", "--code", NO_ONES_CODE, "--listen", "127.0.0.1:0"];
    let refused = |said: crate::program::Said, words: &str| {
        assert!(!said.is_success && said.error.contains(words), "{}", said.error);
    };
    hub::state::make_hub(&pool).await.unwrap();
    refused(leadlog(&url, &["serve", "--listen", "127.0.0.1:0"]).await, "start it with `leadlog hub");
    refused(leadlog(&url, &["hub", "--listen", "127.0.0.1:0"]).await, "this hub does not know its cloud yet");
    refused(leadlog(&url, &["hub", "--cloud", "ftp://x"]).await, "must be an address such as https://");
    refused(leadlog(&url, &["hub", "--code", "123"]).await, "one has 26 letters and digits");

    let (pool, url) = fresh_store().await;
    let server = Program::serve_on(&url);
    until(async || projections::is_led(&pool).await.unwrap().then_some(())).await;
    refused(leadlog(&url, &told).await, "a server runs on this store");
    let token = leadlog(&url, &["tokens", "issue", "--scope", "capture"]).await.out;
    give(&server.address, token.trim_end(), [1]).await;
    assert!(server.interrupt());
    refused(leadlog(&url, &told).await, "was in use before it was a hub");
}

/// A code that no store has given out.
const NO_ONES_CODE: &str = "7ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ";

/// Whatever the cloud says to the hub, everything stays in the hub and is sent when it is let in.
#[actix_web::test]
async fn a_hub_that_is_not_let_in_takes_leads_and_sends_them_when_it_is() {
    let (cloud, hub) = (Host::new(), Host::new());
    let at_cloud = cloud.cloud();
    let at_hub = hub.hub_of(&cloud, NO_ONES_CODE);
    let (address, token) = (hub.address(), hub.token().await);
    give(&address, &token, 1..=3).await;
    assert!(at_hub.interrupt());
    assert!(exported(&hub.data.path()).len() == 3, "they are here");

    let code = cloud.let_hub_in().await;
    let at_hub = hub.hub_of(&cloud, &code);
    all_relayed(&address, &token).await;
    assert!(at_hub.interrupt());
    // The code is used up, and what it is to its cloud the hub knows from now on.
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["hub", "--listen", &hub.listen, "--data-dir"]).arg(hub.data.path());
    let at_hub = Program::start(command);
    give(&address, &token, [4]).await;
    all_relayed(&address, &token).await;
    // A code that is worth nothing takes nothing away.
    assert!(at_hub.interrupt());
    let at_hub = hub.hub_of(&cloud, NO_ONES_CODE);
    give(&address, &token, [7]).await;
    all_relayed(&address, &token).await;
    // Another laptop under its name: the cloud takes nothing more from this one.
    let successor = Host::new();
    let at_successor = successor.hub_of(&cloud, &cloud.let_hub_in().await);
    let of_successor = successor.token().await;
    give(&successor.address(), &of_successor, [5]).await;
    all_relayed(&successor.address(), &of_successor).await;
    give(&address, &token, [6]).await;
    let answer = sync(&address, &token, &json!({ "entries": [] })).await.unwrap();
    assert!(answer.store.relayed_through < Some(answer.store.head));
    assert!(at_successor.interrupt() && at_hub.interrupt() && at_cloud.interrupt());
    assert_eq!(exported(&cloud.data.path()).len(), 6);
}

/// An iPad as its keys know it, wherever it shows them.
struct Ipad {
    keyed: KeyedDevice,
    enrolment: EnrolmentId,
}

impl Ipad {
    /// Comes in at a store.
    async fn at(host: &Host, name: &str, id: &str) -> Self {
        let shown = host.leadlog(&["devices", "enrol", name, "--campaign", "shootout-2026", "--json"]).await;
        let keyed = KeyedDevice::new(id);
        let client = awc::Client::default();
        let request = client.post(format!("{}/api/devices/enrol", host.address()));
        let mut answer = request.send_json(&keyed.request(&code_in(&shown))).await.unwrap();
        let said: Value = serde_json::from_slice(&answer.body().await.unwrap()).unwrap();
        Self { keyed, enrolment: said["enrolmentId"].as_str().unwrap().parse().unwrap() }
    }

    /// The scope that a store gives it; `None` as long as it does not know it.
    async fn scope_at(&self, host: &Host) -> Option<String> {
        self.token_at(host).await.map(|(_, scope)| scope)
    }

    async fn token_at(&self, host: &Host) -> Option<(String, String)> {
        let client = awc::Client::default();
        let answer = client.head(format!("{}/api/health", host.address())).send().await.ok()?;
        let store = answer.headers().get("leadlog-store")?.to_str().ok()?.parse().ok()?;
        let assertion =
            self.keyed.assertion(&self.enrolment, store, Timestamp::new(OffsetDateTime::now_utc()));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        let request = client.post(format!("{}/oauth/token", host.address()));
        let mut answer = request.send_form(&form).await.ok()?;
        let said: Value = serde_json::from_slice(&answer.body().await.ok()?).ok()?;
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        text("access_token").zip(text("scope"))
    }
}

/// AUT-3: an iPad is let in once, wherever that is, and shut out once; its backups are in both places.
#[actix_web::test]
async fn an_ipad_that_came_in_at_the_hub_or_at_the_cloud_is_known_at_both() {
    let (cloud, hub) = (Host::new(), Host::new());
    let mut at_cloud = cloud.cloud();
    let code = cloud.let_hub_in().await;
    let of_cloud = Ipad::at(&cloud, "iPad 1", "ipad-1").await;
    let mut at_hub = hub.hub_of(&cloud, &code);
    until(|| of_cloud.scope_at(&hub)).await;

    // Without a way out, and the hub is killed before there is one.
    assert!(at_cloud.interrupt());
    let of_hub = Ipad::at(&hub, "iPad 2", "ipad-2").await;
    let waiting = hub.leadlog(&["devices", "enrol", "iPad 3", "--campaign", "shootout-2026", "--json"]).await;
    let (token, scope) = of_hub.token_at(&hub).await.unwrap();
    assert_eq!(scope, "capture");
    let snapshot = crate::backups::snapshot("ipad-2", &[lead(1)]);
    let request = awc::Client::default().put(format!("{}/api/devices/ipad-2/backups", hub.address()));
    let stored = request.bearer_auth(token).send_body(snapshot.to_string()).await.unwrap();
    assert_eq!(stored.status(), 201);
    at_hub.kill();
    at_hub = hub.hub_of(&cloud, &code);
    at_cloud = cloud.cloud();
    until(async || of_hub.scope_at(&cloud).await.filter(|scope| scope == "capture")).await;
    let backups = async || {
        let listed: Value =
            serde_json::from_str(&cloud.leadlog(&["backups", "list", "--json"]).await).ok()?;
        let listed = listed.as_array()?.iter().map(|it| it["deviceId"].as_str().unwrap().to_owned());
        Some(listed.collect::<Vec<_>>()).filter(|listed| !listed.is_empty())
    };
    assert_eq!(until(backups).await, ["ipad-2"]);
    assert!(
        !cloud.leadlog(&["devices", "enrolled"]).await.contains("iPad 3"),
        "a code works where it was made"
    );

    // Shut out, each where it did not come in.
    cloud.leadlog(&["devices", "revoke", "iPad 2"]).await;
    hub.leadlog(&["devices", "revoke", "iPad 1"]).await;
    let is_out = |scope: &String| scope == "quarantine";
    until(async || of_hub.scope_at(&hub).await.filter(is_out)).await;
    until(async || of_cloud.scope_at(&cloud).await.filter(is_out)).await;
    // A cloud that has lost it all hears of it again.
    let late = KeyedDevice::new("ipad-3");
    let request = awc::Client::default().post(format!("{}/api/devices/enrol", hub.address()));
    assert_eq!(request.send_json(&late.request(&code_in(&waiting))).await.unwrap().status(), 200);
    until(async || cloud.leadlog(&["devices", "enrolled"]).await.contains("iPad 3").then_some(())).await;
    assert!(at_hub.interrupt() && at_cloud.interrupt());
}

/// Two processes on one database: one relays, and the other does when that one ends.
#[actix_web::test]
async fn of_two_hub_processes_on_one_database_one_relays() {
    let ((_, of_cloud), (pool, of_hub)) = (fresh_store().await, fresh_store().await);
    let cloud = Program::serve_on(&of_cloud);
    let code = code_in(&leadlog(&of_cloud, &["hubs", "enrol", "hub-1", "--json"]).await.out);
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(["hub", "--cloud", &cloud.address, "--code", &code, "--listen", "127.0.0.1:0"]);
        command.env("DATABASE_URL", &of_hub);
        Program::start(command)
    };
    let holders = async || {
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
                    AND classid = 'relay_state'::regclass::oid AND objid::integer = 1";
        sqlx::query_scalar::<_, i64>(held).fetch_one(&pool).await.unwrap()
    };
    let first = start();
    until(async || (holders().await == 1).then_some(())).await;
    let second = start();
    let token = leadlog(&of_hub, &["tokens", "issue", "--scope", "capture"]).await.out.trim_end().to_owned();
    give(&second.address, &token, 1..=2).await;
    all_relayed(&first.address, &token).await;
    first.kill();
    give(&second.address, &token, 3..=4).await;
    all_relayed(&second.address, &token).await;
    assert_eq!(holders().await, 1);
    assert!(second.interrupt() && cloud.interrupt());
}
