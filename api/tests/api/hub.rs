//! A hub between devices and the cloud: both the real program, each with a PostgreSQL of its own (TIER-4, invariants 2, 3, 6, 9).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use domain::{SyncResponse, Tier, Verdict};
use event_store::testing::fresh_store;
use serde_json::{Value, json};

use crate::program::{DataDir, Program, free_port, leadlog};
use crate::server::{lead, lead_with};

/// A machine that is slow fails no test; one that hangs does.
const PATIENCE: Duration = Duration::from_secs(90);

/// A place for a cloud or a hub: what it keeps, and where it listens.
struct Host {
    data: DataDir,
    listen: String,
}

impl Host {
    fn new() -> Self {
        Self { data: DataDir::new(), listen: format!("127.0.0.1:{}", free_port()) }
    }

    fn address(&self) -> String {
        format!("http://{}", self.listen)
    }

    async fn token(&self) -> String {
        Program::token(&self.data.path(), "capture").await
    }

    fn cloud(&self) -> Program {
        Program::serve(&self.data.path(), &self.listen)
    }

    fn hub_of(&self, cloud: &Self, secret: &Path) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args([
            "hub",
            "--cloud",
            &cloud.address(),
            "--cloud-client-id",
            "hub-1",
            "--cloud-secret-file",
        ]);
        command.arg(secret).args(["--listen", &self.listen, "--data-dir"]).arg(self.data.path());
        command.env_remove("DATABASE_URL");
        Program::start(command)
    }

    /// Lets a hub in, and answers the file with its secret.
    async fn let_hub_in(&self) -> PathBuf {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command
            .args(["clients", "add", "hub-1", "--scope", "relay", "--json", "--data-dir"])
            .arg(self.data.path());
        command.env_remove("DATABASE_URL");
        let output = actix_web::web::block(move || command.output().unwrap()).await.unwrap();
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        let file = self.data.path().with_file_name("secret");
        std::fs::write(&file, shown["clientSecret"].as_str().unwrap()).unwrap();
        file
    }

    async fn publish(&self, campaign: &Value) {
        let file = self.data.path().with_file_name("campaign.json");
        std::fs::write(&file, campaign.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command
            .args(["campaigns", "publish"])
            .arg(&file)
            .args(["--by", "Ewa", "--data-dir"])
            .arg(self.data.path());
        command.env_remove("DATABASE_URL");
        let output = actix_web::web::block(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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

/// With owners and rights, as an administrator copies it.
fn copy_folder(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// One request of a device; `None` when nobody answers.
async fn sync(address: &str, token: &str, body: &Value) -> Option<SyncResponse> {
    let client = awc::Client::builder().timeout(Duration::from_secs(10)).finish();
    let request = client.post(format!("{address}/api/leads/sync")).bearer_auth(token);
    let mut response = request.send_body(body.to_string()).await.ok()?;
    if response.status() != 200 {
        return None;
    }
    serde_json::from_slice(&response.body().await.ok()?).ok()
}

/// Gives these leads to a store, which takes them.
async fn give(address: &str, token: &str, numbers: impl IntoIterator<Item = u64>) {
    let entries: Vec<Value> = numbers.into_iter().map(lead).collect();
    let body = json!({ "entries": entries });
    let answer = until(|| sync(address, token, &body)).await;
    assert!(answer.results.iter().all(|result| result.status.is_stored()), "{:?}", answer.results);
}

/// Waits until the hub says that all that it has is in the cloud.
async fn all_relayed(address: &str, token: &str) -> SyncResponse {
    until(async || {
        let answer = sync(address, token, &json!({ "entries": [], "cloudVerdictsAfter": 0 })).await?;
        (answer.store.relayed_through == Some(answer.store.head)).then_some(answer)
    })
    .await
}

async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
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
fn exported(data_dir: &Path) -> Vec<String> {
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
    let secret = cloud.let_hub_in().await;
    let mut at_hub = hub.hub_of(&cloud, &secret);
    let token = hub.token().await;
    let address = hub.address();

    give(&address, &token, 1..=200).await;
    // In the middle of the work, or after it: the cloud has it in any case.
    at_hub.kill();
    at_hub = hub.hub_of(&cloud, &secret);
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
    at_hub = hub.hub_of(&cloud, &secret);
    give(&address, &token, 442..=450).await;
    all_relayed(&address, &token).await;
    assert!(at_hub.interrupt());
    hub.restore(&copy);
    at_hub = hub.hub_of(&cloud, &secret);
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
    let shown = leadlog(&of_cloud, &["clients", "add", "hub-1", "--scope", "relay", "--json"]).await.out;
    let secret = tempfile::NamedTempFile::new().unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    std::fs::write(secret.path(), shown["clientSecret"].as_str().unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["hub", "--cloud", &cloud.address, "--cloud-client-id", "hub-1", "--cloud-secret-file"]);
    command.arg(secret.path()).args(["--listen", "127.0.0.1:0"]).env("DATABASE_URL", &of_hub);
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
    let secret = cloud.let_hub_in().await;
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
    let at_hub = hub.hub_of(&cloud, &secret);
    until(newest).await;

    assert!(at_hub.interrupt() && at_cloud.interrupt());
    let at_hub = hub.hub_of(&cloud, &secret);
    assert_eq!(newest().await, Some(()));
    assert!(at_hub.interrupt());
}

/// "Relayed" is not "accepted".
#[actix_web::test]
async fn what_the_cloud_does_not_take_is_told_to_devices_and_holds_nothing_up() {
    let (cloud, hub) = (Host::new(), Host::new());
    let at_cloud = cloud.cloud();
    let secret = cloud.let_hub_in().await;
    give(&cloud.address(), &cloud.token().await, [1]).await;
    let at_hub = hub.hub_of(&cloud, &secret);
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
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "leadlog_secret_x\n").unwrap();
    let file = secret.path().to_str().unwrap();
    let hub =
        ["hub", "--cloud", "http://127.0.0.1:1", "--cloud-client-id", "hub-1", "--cloud-secret-file", file];
    let refused = |said: crate::program::Said, words: &str| {
        assert!(!said.is_success && said.error.contains(words), "{}", said.error);
    };
    hub::state::make_hub(&pool).await.unwrap();
    refused(leadlog(&url, &["serve", "--listen", "127.0.0.1:0"]).await, "start it with `leadlog hub");

    let (_, url) = fresh_store().await;
    let server = Program::serve_on(&url);
    give(
        &server.address,
        leadlog(&url, &["tokens", "issue", "--scope", "capture"]).await.out.trim_end(),
        [1],
    )
    .await;
    assert!(server.interrupt());
    let listen = ["--listen", "127.0.0.1:0"];
    refused(leadlog(&url, &[&hub[..], &listen].concat()).await, "was in use before it was a hub");
    let ftp = ["hub", "--cloud", "ftp://x", "--cloud-client-id", "hub-1", "--cloud-secret-file", file];
    refused(leadlog(&url, &ftp).await, "--cloud must be an address");
    std::fs::write(secret.path(), " \n").unwrap();
    refused(leadlog(&url, &hub).await, "there is no secret in");
}

/// Whatever answers in the cloud's place, everything stays in the hub and is sent when the cloud is there.
#[actix_web::test]
async fn a_hub_that_is_not_let_in_takes_leads_and_sends_them_when_it_is() {
    let (cloud, hub) = (Host::new(), Host::new());
    let at_cloud = cloud.cloud();
    let secret = cloud.let_hub_in().await;
    let good = std::fs::read_to_string(&secret).unwrap();
    std::fs::write(&secret, "leadlog_secret_of_somebody_else").unwrap();
    let at_hub = hub.hub_of(&cloud, &secret);
    let (address, token) = (hub.address(), hub.token().await);
    give(&address, &token, 1..=3).await;
    assert!(at_hub.interrupt());
    assert!(exported(&hub.data.path()).len() == 3, "they are here");

    std::fs::write(&secret, good).unwrap();
    let at_hub = hub.hub_of(&cloud, &secret);
    all_relayed(&address, &token).await;
    assert!(at_hub.interrupt() && at_cloud.interrupt());
    assert_eq!(exported(&cloud.data.path()).len(), 3);
}
