//! What is going on, as whoever watches an event is told (TIER-5, CRM-4): real HTTP, and for the hub real processes.

use std::time::Duration;

use domain::Verdict;
use leadlog::conditions::{Conditions, Heard};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::clients::{registered, token_for};
use crate::enrolment::Device;
use crate::hub::{Host, give, until};
use crate::program::Program;
use crate::server::{Server, lead, lead_with};

/// A machine that is slow fails no test; one that hangs does.
const PATIENCE: Duration = Duration::from_secs(90);

/// Somebody who watches.
struct Watching {
    answer: reqwest::Response,
    /// What has come and was not read.
    text: String,
}

impl Watching {
    async fn begin(address: &str, token: &str) -> Self {
        let request = reqwest::Client::new().get(format!("{address}/api/live")).bearer_auth(token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next report; `None` when the stream has ended as it should.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let report = event
                    .strip_prefix("event: report\ndata: ")
                    .map(|data| serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                match report {
                    None => continue,
                    report => return report,
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("nothing comes");
            self.text += std::str::from_utf8(&chunk.unwrap()?).unwrap();
        }
    }

    /// The first report of which this is true.
    async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let waiting = async {
            loop {
                last = self.next().await.unwrap();
                if is_it(&last) {
                    return last.clone();
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, waiting).await;
        found.unwrap_or_else(|_| panic!("it does not come to pass: {last:#}"))
    }
}

fn device<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["devices"].as_array().unwrap().iter().find(|device| device["name"] == name).unwrap_or(&Value::Null)
}

/// Nobody is said to be complete who still holds something, and nobody who is silent (invariant 9).
#[actix_web::test]
async fn who_watches_hears_of_leads_and_of_what_devices_still_hold() {
    let server = Server::start().await;
    let ipad = Device::enrolled(&server, "iPad 3", "ipad-3").await;
    let mut watching = Watching::begin(&server.address(), &server.token).await;
    let first = watching.next().await.unwrap();
    assert_eq!((&first["store"]["tier"], &first["leads"]["total"]), (&json!("cloud"), &json!(0)));
    assert_eq!(first["leads"]["hours"].as_array().unwrap().len(), 24);
    assert_eq!(device(&first, "iPad 3")["standing"], "nothing");
    assert!(first.get("relay").is_none() && first.get("reach").is_none(), "{first}");

    let now = OffsetDateTime::now_utc();
    let captured_at = domain::Timestamp::new(now).to_string();
    let own = |number: u64| {
        lead_with(number, |lead| {
            (lead["deviceId"], lead["capturedAt"]) = ("ipad-3".into(), captured_at.clone().into())
        })
    };
    let left_at = (now.unix_timestamp() - 60) * 1000;
    let condition =
        json!({ "left": 2, "oldestLeftAt": left_at, "isStoragePersisted": true, "appVersion": "0.1.0" });
    let request =
        json!({ "sender": "ipad-3", "savedThrough": 3, "entries": [own(1)], "condition": condition });
    assert_eq!(ipad.sync(request).await.results[0].status, Verdict::Created);
    let behind = watching.until(|report| device(report, "iPad 3")["missing"] == 2).await;
    assert_eq!((&behind["leads"]["total"], &behind["leads"]["lastHour"]), (&json!(1), &json!(1)));
    let hours = behind["leads"]["hours"].as_array().unwrap();
    assert_eq!(hours.iter().map(|hour| hour["leads"].as_u64().unwrap()).sum::<u64>(), 1);
    let it = device(&behind, "iPad 3");
    assert_eq!(
        (&it["standing"], &it["left"], &it["leads"]),
        (&json!("behind"), &json!(2), &json!(1)),
        "{it}"
    );
    assert_eq!((&it["isStoragePersisted"], &it["appVersion"]), (&json!(true), &json!("0.1.0")), "{it}");
    assert!(it["oldestLeftAt"].is_string() && it["heardAt"].is_string(), "{it}");

    let rest = json!({ "sender": "ipad-3", "savedThrough": 3, "entries": [own(2), own(3)], "condition": { "left": 0 } });
    ipad.sync(rest).await;
    let complete = watching.until(|report| device(report, "iPad 3")["standing"] == "complete").await;
    assert_eq!(complete["leads"]["total"], 3);

    // Silence is told, and what has come in under its name puts an old installation out of the way.
    let long_ago = "UPDATE device_sequences SET heard_at = heard_at - interval '6 minutes'";
    sqlx::query(long_ago).execute(&server.pool).await.unwrap();
    // When all that was said is written.
    let written =
        "UPDATE device_conditions SET heard_at = heard_at - interval '6 minutes' WHERE left_count = 0";
    until(async || {
        (sqlx::query(written).execute(&server.pool).await.unwrap().rows_affected() == 1).then_some(())
    })
    .await;
    watching.until(|report| device(report, "iPad 3")["standing"] == "silent").await;
    Device::enrolled(&server, "iPad 3", "ipad-3-again").await;
    let replaced = watching.until(|report| report["devices"].as_array().unwrap().len() == 2).await;
    let standings: Vec<&Value> =
        replaced["devices"].as_array().unwrap().iter().map(|device| &device["standing"]).collect();
    assert_eq!(standings, ["retired", "nothing"]);
}

#[actix_web::test]
async fn what_a_device_says_of_itself_refuses_no_lead() {
    let server = Server::start().await;
    let ipad = Device::enrolled(&server, "iPad 3", "ipad-3").await;
    for (number, condition) in [(1, json!(7)), (2, json!({ "left": -1 })), (3, json!("x")), (4, Value::Null)]
    {
        let answer = ipad.sync(json!({ "entries": [lead(number)], "condition": condition })).await;
        assert_eq!(answer.results[0].status, Verdict::Created, "{condition}");
    }
}

/// A device speaks for itself alone, and what the store did not take it holds still.
#[actix_web::test]
async fn what_is_left_is_the_devices_own_and_all_that_the_store_did_not_take() {
    let server = Server::start().await;
    let ipad = Device::enrolled(&server, "iPad 3", "ipad-3").await;
    let mut watching = Watching::begin(&server.address(), &server.token).await;
    let unknown =
        lead_with(1, |lead| (lead["deviceId"], lead["kind"]) = ("ipad-3".into(), "from-a-newer-app".into()));
    let request = json!({ "sender": "ipad-3", "entries": [unknown], "condition": { "left": 1 } });
    assert_eq!(ipad.sync(request).await.results[0].status, Verdict::Unsupported);
    watching.until(|report| device(report, "iPad 3")["left"] == 2).await;
    ipad.sync(json!({ "sender": "ipad-4", "entries": [], "condition": { "left": 0 } })).await;
    watching.until(|report| device(report, "iPad 3").get("left").is_none()).await;
}

/// Whatever stands on the screen is of now: where nothing can be told, nothing is.
#[actix_web::test]
async fn who_watches_is_shown_nothing_old() {
    let server = Server::start().await;
    let mut watching = Watching::begin(&server.address(), &server.token).await;
    watching.next().await.unwrap();
    sqlx::query("ALTER TABLE device_conditions RENAME TO gone").execute(&server.pool).await.unwrap();
    while watching.next().await.is_some() {}
    sqlx::query("ALTER TABLE gone RENAME TO device_conditions").execute(&server.pool).await.unwrap();
    let first = until(async || Watching::begin(&server.address(), &server.token).await.next().await).await;
    assert_eq!(first["leads"]["total"], 0);
}

/// AUT-4: taking back counts before the next word.
#[actix_web::test]
async fn who_was_shut_out_is_told_no_more() {
    let server = Server::start().await;
    let (screen, secret) = registered(&server, "screen", "organize").await;
    let token = token_for(&server.address(), &screen, &secret).await;
    let mut watching = Watching::begin(&server.address(), &token).await;
    watching.next().await.unwrap();
    identity::revoke(&server.pool, &screen).await.unwrap();
    while watching.next().await.is_some() {}
}

/// It is written late and by several processes, and so in any order.
#[actix_web::test]
async fn of_what_was_said_the_latest_stays() {
    let server = Server::start().await;
    let now = OffsetDateTime::now_utc();
    let heard = |at, left: u64| Heard::of(at, Some(&format!(r#"{{"left":{left}}}"#)), 0);
    let (here, there) = (Conditions::keep(server.pool.clone()), Conditions::keep(server.pool.clone()));
    let device: domain::DeviceId = "ipad-3".parse().unwrap();
    here.note(device.clone(), heard(now, 1));
    assert_eq!(here.all().await.unwrap()[&device].left, Some(1), "also before it is written");
    there.note(device.clone(), heard(now - Duration::from_secs(1), 2));
    here.write().await.unwrap();
    there.write().await.unwrap();
    for conditions in [&here, &there] {
        assert_eq!(conditions.all().await.unwrap()[&device].left, Some(1));
    }
    // But for what was heard before the clock was set.
    here.note(device.clone(), heard(now + Duration::from_secs(3600), 3));
    here.write().await.unwrap();
    here.note(device.clone(), heard(now, 4));
    assert_eq!(here.all().await.unwrap()[&device].left, Some(4));
    here.write().await.unwrap();
    assert_eq!(there.all().await.unwrap()[&device].left, Some(4));
}

/// The cloud is away, and comes; the hub says so in words, and counts what waits.
#[actix_web::test]
async fn a_hub_tells_what_waits_for_the_cloud_and_why() {
    let (cloud, hub) = (Host::new(), Host::new());
    let running = cloud.cloud();
    let code = cloud.let_hub_in().await;
    drop(running);
    let hub_runs = hub.hub_of(&cloud, &code);
    give(&hub.address(), &hub.token().await, 1..=3).await;
    let token = Program::token(&hub.data.path(), "organize").await;
    let mut watching = Watching::begin(&hub.address(), &token).await;
    let told = watching.until(|report| report["relay"]["trouble"]["code"] == "unreachable").await;
    let relay = &told["relay"];
    assert_eq!((&relay["waiting"], &relay["cloud"]), (&json!(3), &json!(cloud.address())), "{relay}");
    assert!(relay["oldestWaitingAt"].is_string() && relay["trouble"]["since"].is_string(), "{relay}");
    let reach = json!({ "addresses": [hub.address()], "trust": "none" });
    assert_eq!((&told["reach"], &told["alarms"]), (&reach, &json!([])));

    let _running = cloud.cloud();
    let done = watching.until(|report| report["relay"]["waiting"] == 0).await;
    assert!(done["relay"].get("oldestWaitingAt").is_none(), "{done}");
    watching
        .until(|report| report["relay"].get("trouble").is_none() && report["relay"]["heardAt"].is_string())
        .await;
    // A server that stops waits for nobody who watches, and cuts nobody off in the middle.
    assert!(hub_runs.interrupt());
    while watching.next().await.is_some() {}
}
