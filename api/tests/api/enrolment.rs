//! From a one-time code to leads of a device, and what it may not (AUT-3, AUT-4).

use domain::{EnrolmentId, StoreId, SyncResponse, Timestamp, Verdict};
use identity::testing::KeyedDevice;
use leadlog::http::Settings;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::backups::snapshot;
use crate::program::leadlog;
use crate::server::{Answer, Server, lead, lead_with};

/// A device that came in.
pub(crate) struct Device<'s> {
    server: &'s Server,
    keyed: KeyedDevice,
    enrolment: EnrolmentId,
    store: StoreId,
    token: String,
}

/// A code that lets a device in under this name.
pub(crate) async fn code(server: &Server, name: &str) -> String {
    let said = leadlog(&server.database_url, &["devices", "enrol", name, "--json"]).await;
    assert!(said.is_success, "{}", said.error);
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    shown["code"].as_str().unwrap().to_owned()
}

async fn enrol(server: &Server, body: &Value) -> Answer {
    let request = awc::Client::default().post(format!("{}/api/devices/enrol", server.address()));
    Answer::read(request.send_json(body).await.unwrap()).await
}

impl<'s> Device<'s> {
    /// Comes in under a name.
    pub(crate) async fn enrolled(server: &'s Server, name: &str, id: &str) -> Self {
        let keyed = KeyedDevice::new(id);
        let answer = enrol(server, &keyed.request(&code(server, name).await)).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        let said = answer.json();
        assert_eq!((&said["deviceName"], &said["campaignId"]), (&name.into(), &"shootout-2026".into()));
        let id = |name: &str| said[name].as_str().unwrap().to_owned();
        let (enrolment, store) = (id("enrolmentId").parse().unwrap(), id("storeId").parse().unwrap());
        let mut device = Self { server, keyed, enrolment, store, token: String::new() };
        device.token = device.ask_for_token().await.json()["access_token"].as_str().unwrap().to_owned();
        device
    }

    async fn ask_for_token(&self) -> Answer {
        let now = Timestamp::new(OffsetDateTime::now_utc());
        let assertion = self.keyed.assertion(&self.enrolment, self.store, now);
        show(self.server, &assertion, &[]).await
    }

    /// Sends a request.
    pub(crate) async fn sync(&self, request: Value) -> SyncResponse {
        let url = format!("{}/api/leads/sync", self.server.address());
        let request = awc::Client::default().post(url).bearer_auth(&self.token).send_json(&request);
        let answer = Answer::read(request.await.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Sends one entry.
    pub(crate) async fn verdict(&self, entry: Value) -> Verdict {
        self.sync(json!({ "entries": [entry] })).await.results[0].status
    }

    async fn get(&self, path: &str) -> Answer {
        let request = awc::Client::default().get(format!("{}{path}", self.server.address()));
        Answer::read(request.bearer_auth(&self.token).send().await.unwrap()).await
    }

    async fn put_backup(&self, id: &str, entries: &[Value]) -> Answer {
        let url = format!("{}/api/devices/{id}/backups", self.server.address());
        let request = awc::Client::default().put(url).bearer_auth(&self.token);
        Answer::read(request.send_body(snapshot(id, entries).to_string()).await.unwrap()).await
    }

    /// Which installations it can read backups of.
    async fn sees(&self) -> Vec<String> {
        let list = self.get("/api/backups").await.json();
        list["backups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["deviceId"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Shows an assertion to the token route.
async fn show(server: &Server, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let request = awc::Client::default().post(format!("{}/oauth/token", server.address()));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    Answer::read(request.send_form(&[&form[..], more].concat()).await.unwrap()).await
}

/// A lead that this installation made.
pub(crate) fn lead_of(device: &str, number: u64) -> Value {
    lead_with(number, |lead| lead["deviceId"] = device.into())
}

#[actix_web::test]
async fn a_device_comes_in_by_a_code_and_sends_leads() {
    let server = Server::start().await;
    let device = Device::enrolled(&server, "iPad 7", "ipad-7").await;
    let said = leadlog(&server.database_url, &["devices", "--json"]).await.out;
    let listed: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["standing"]), (&"iPad 7".into(), &"nothing".into()));
    let table = leadlog(&server.database_url, &["devices"]).await.out;
    assert!(table.contains("iPad 7") && table.contains("nothing yet"), "{table}");

    assert_eq!(device.verdict(lead(1)).await, Verdict::Created);
    let known = device.get("/api/leads/check-email?campaign=shootout-2026&email=anna1@example.com").await;
    assert_eq!(known.json()["known"], true);
    assert_eq!(device.get("/api/exports/leads.csv").await.status, 403);

    let said = leadlog(&server.database_url, &["devices", "--json"]).await.out;
    let listed: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&listed[0]["deviceId"], &listed[0]["name"]), (&"ipad-7".into(), &"iPad 7".into()));
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["standing"]), (1, &"complete".into()));
    let enrolled = leadlog(&server.database_url, &["devices", "enrolled"]).await.out;
    assert!(enrolled.contains("iPad 7") && enrolled.contains(device.enrolment.as_str()), "{enrolled}");
}

/// Nobody fills the disk from one iPad; what is refused, the iPad keeps and sends again.
#[actix_web::test]
async fn a_device_that_sends_too_often_is_told_when_to_go_on() {
    let limit = 5.try_into().unwrap();
    let settings = Settings { device_requests_per_second: limit, ..Settings::default() };
    let server = Server::start_with(settings).await;
    let device = Device::enrolled(&server, "iPad 7", "ipad-7").await;
    let other = Device::enrolled(&server, "iPad 8", "ipad-8").await;
    let send = async |device: &Device<'_>| {
        let url = format!("{}/api/leads/sync", server.address());
        let request = awc::Client::default().post(url).bearer_auth(&device.token);
        request
            .send_json(&json!({ "entries": [lead_of(device.keyed.enrolled().device_id.as_str(), 1)] }))
            .await
            .unwrap()
    };
    let since = std::time::Instant::now();
    let mut answered = 0;
    let refused = loop {
        let answer = send(&device).await;
        if answer.status() == 429 {
            break answer;
        }
        assert_eq!(answer.status(), 200);
        answered += 1;
        assert!(since.elapsed().as_secs() < 60, "{answered} were answered");
    };
    assert!(answered >= 50, "ten seconds' worth at once, not {answered}");
    assert_eq!(refused.headers().get("retry-after").unwrap(), "1");
    let refused = Answer::read(refused).await;
    assert_eq!(refused.json()["type"], "urn:leadlog:problem:too-many-requests");
    assert_eq!(send(&other).await.status(), 200, "another iPad does not wait for it");
    server.sync(&[lead(2)]).await;
    while send(&device).await.status() == 429 {
        assert!(since.elapsed().as_secs() < 60, "it may go on");
    }
}

#[actix_web::test]
async fn what_lets_no_device_in_says_why_and_changes_nothing() {
    let server = Server::start().await;
    let used = code(&server, "iPad 7").await;
    let device = KeyedDevice::new("ipad-7");
    let genuine = device.request(&used);
    assert_eq!(enrol(&server, &genuine).await.status, 200);
    assert_eq!(enrol(&server, &genuine).await.status, 200, "the answer may have been lost");
    for (body, told) in [
        (KeyedDevice::new("ipad-8").request(&used), "the code was used already"),
        (device.request("0S9S5"), "There is no such code"),
        (device.request(&"0".repeat(26)), "There is no such code"),
    ] {
        let answer = enrol(&server, &body).await;
        assert_eq!(
            (answer.status, &answer.json()["type"]),
            (403, &"urn:leadlog:problem:invalid-code".into())
        );
        assert!(answer.json()["detail"].as_str().unwrap().contains(told), "{}", answer.json());
    }
    for (field, bad) in [
        ("code", json!(7)),
        ("deviceId", json!("i pad")),
        ("publicKey", json!({ "kty": "EC", "crv": "P-384", "x": "a", "y": "b" })),
        ("publicKey", json!("-----BEGIN PUBLIC KEY-----")),
    ] {
        let mut body = genuine.clone();
        body[field] = bad;
        assert_eq!(enrol(&server, &body).await.status, 400, "{field}");
    }
    assert_eq!((server.count("EnrolmentOffered").await, server.count("DeviceEnrolled").await), (1, 1));
}

#[actix_web::test]
async fn whoever_guesses_codes_is_told_to_wait() {
    let server = Server::start().await;
    let body = KeyedDevice::new("ipad-7").request(&"0".repeat(26));
    let mut answered = 0;
    let refused = loop {
        let answer = enrol(&server, &body).await;
        if answer.status == 429 {
            break answer;
        }
        answered += 1;
        assert!(answered < 1000, "there is an end");
    };
    assert!(answered >= 30, "{answered}: a hall of iPads has one address");
    assert_eq!(refused.json()["type"], "urn:leadlog:problem:too-many-requests");
}

#[actix_web::test]
async fn an_assertion_is_told_in_the_words_of_the_rfc_why_it_does_not_count() {
    let server = Server::start().await;
    let device = Device::enrolled(&server, "iPad 7", "ipad-7").await;
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let genuine = device.keyed.assertion(&device.enrolment, device.store, now);
    let answer = show(&server, &genuine, &[("scope", "crm")]).await;
    assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_scope".into()));
    let answer = show(&server, &genuine, &[("client_secret", "x")]).await;
    assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_request".into()));
    let answer = show(&server, &genuine, &[]).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["scope"], &said["expires_in"]), (200, &"capture".into(), &900.into()));
    let forged = device.keyed.forgeries(&device.enrolment, device.store, now);
    let told = forged.iter().map(|forged| (forged.text.as_str(), forged.refusal.to_string()));
    for (assertion, reason) in told.chain([(genuine.as_str(), "it was used already".to_owned())]) {
        let answer = show(&server, assertion, &[]).await;
        assert_eq!((answer.status, &answer.json()["error"]), (401, &"invalid_client".into()), "{reason}");
        assert!(answer.json()["error_description"].as_str().unwrap().contains(&reason), "{}", answer.json());
    }
}

/// AUT-4. After its storage was wiped an iPad is another installation; under its name it gets its own back.
#[actix_web::test]
async fn a_device_gives_its_own_backups_and_takes_back_those_under_its_name() {
    let server = Server::start().await;
    let first = Device::enrolled(&server, "iPad 7", "ipad-7").await;
    let other = Device::enrolled(&server, "iPad 8", "ipad-8").await;
    assert_eq!(first.put_backup("ipad-7", &[lead(1)]).await.status, 201);
    assert_eq!(other.put_backup("ipad-8", &[lead_of("ipad-8", 2)]).await.status, 201);
    let refused = other.put_backup("ipad-7", &[]).await;
    assert_eq!((refused.status, &refused.json()["type"]), (403, &"urn:leadlog:problem:not-yours".into()));

    let again = Device::enrolled(&server, "iPad 7", "ipad-7-wiped").await;
    assert_eq!(again.sees().await, ["ipad-7"]);
    assert_eq!(again.get("/api/devices/ipad-7/backups/1").await.status, 200);
    assert_eq!(other.sees().await, ["ipad-8"]);
    assert_eq!(other.get("/api/devices/ipad-7/backups/1").await.status, 404);
    assert_eq!(other.get("/api/devices/ipad-7/backups").await.json(), json!({ "backups": [] }));
    // Who organizes the event sees all.
    assert_eq!(server.get("/api/backups").await.json()["backups"].as_array().unwrap().len(), 2);
}

/// The id of an installation is no secret: whoever claims it gets nothing by that.
#[actix_web::test]
async fn nobody_comes_in_as_another_device() {
    let server = Server::start().await;
    let victim = Device::enrolled(&server, "iPad 8", "ipad-8").await;
    assert_eq!(victim.put_backup("ipad-8", &[lead_of("ipad-8", 2)]).await.status, 201);
    let claim = KeyedDevice::new("ipad-8").request(&code(&server, "iPad 7").await);
    let refused = enrol(&server, &claim).await;
    assert_eq!((refused.status, &refused.json()["type"]), (403, &"urn:leadlog:problem:invalid-code".into()));
    assert!(refused.json()["detail"].as_str().unwrap().contains("is enrolled as"), "{}", refused.json());

    // One that was shut out may come in under another name; the backups are nobody's then but the organizer's.
    let revoked = leadlog(&server.database_url, &["devices", "revoke", "iPad 8"]).await;
    assert!(revoked.is_success, "{}", revoked.error);
    let renamed = Device::enrolled(&server, "iPad 7", "ipad-8").await;
    assert_eq!(renamed.sees().await, [] as [String; 0]);
    assert_eq!(renamed.get("/api/devices/ipad-8/backups/1").await.status, 404);
    assert_eq!(renamed.put_backup("ipad-8", &[lead_of("ipad-8", 3)]).await.status, 201);
}

/// Invariant 9: nobody speaks for another device, and no lead is refused for who brings it.
#[actix_web::test]
async fn a_device_that_sends_under_another_name_is_not_that_device() {
    let server = Server::start().await;
    let device = Device::enrolled(&server, "iPad 8", "ipad-8").await;
    let report = json!({ "deviceId": "ipad-9", "savedThrough": 5, "heardAt": "2026-05-23T14:00:00Z" });
    let request = json!({
        "sender": "ipad-7", "savedThrough": 99, "reports": [report], "entries": [lead(1), lead_of("ipad-8", 2)]
    });
    let results = device.sync(request).await.results;
    assert!(results.iter().all(|result| result.status == Verdict::Created));
    let said = leadlog(&server.database_url, &["devices", "--json"]).await.out;
    let listed: Vec<Value> = serde_json::from_str(&said).unwrap();
    assert_eq!((&listed[0]["deviceId"], &listed[0]["heardAt"]), (&"ipad-7".into(), &Value::Null));
    assert_eq!(listed[0]["savedThrough"], 1);
    assert!(listed[1]["heardAt"].is_string(), "it speaks for itself");
    assert_eq!((&listed[2]["deviceId"], &listed[2]["heardAt"]), (&"ipad-9".into(), &Value::Null));
}

/// CAP-4 is a courtesy for one form, and not a way to collect addresses.
#[actix_web::test]
async fn a_device_asks_for_as_many_addresses_as_people_type() {
    let server = Server::start().await;
    let device = Device::enrolled(&server, "iPad 7", "ipad-7").await;
    let path = "/api/leads/check-email?campaign=shootout-2026&email=anna1@example.com";
    let mut answered = 0;
    while device.get(path).await.status == 200 {
        answered += 1;
        assert!(answered < 1000, "there is an end");
    }
    assert!(answered >= 30, "{answered}");
    assert_eq!(device.get(path).await.status, 429);
    assert_eq!(device.verdict(lead(1)).await, Verdict::Created, "no lead waits for it");
}

/// AUT-3: a device that was shut out hands in what it holds, and what it holds is not lost.
#[actix_web::test]
async fn a_revoked_device_hands_in_what_it_holds_and_is_let_in_again() {
    let server = Server::start().await;
    let device = Device::enrolled(&server, "iPad 7", "ipad-7").await;
    assert_eq!(device.verdict(lead(1)).await, Verdict::Created);
    assert_eq!(device.put_backup("ipad-7", &[lead(1)]).await.status, 201);
    let revoked = leadlog(&server.database_url, &["devices", "revoke", "iPad 7"]).await;
    assert!(revoked.is_success && revoked.out.contains("is shut out"), "{}{}", revoked.out, revoked.error);
    let again = leadlog(&server.database_url, &["devices", "revoke", "iPad 7"]).await;
    assert!(!again.is_success && again.error.contains("was revoked already"), "{}", again.error);

    for path in ["/api/backups", "/api/devices/ipad-7/backups/1"] {
        assert_eq!(device.get(path).await.status, 403, "at once");
    }
    assert_eq!(device.put_backup("ipad-7", &[]).await.status, 403);
    // It is shut out within a second, and what it sent meanwhile is a lead like any other.
    let mut number = 2;
    while device.verdict(lead(number)).await == Verdict::Created {
        number += 1;
    }
    let answer = device.ask_for_token().await.json();
    assert_eq!(answer["scope"], "quarantine");
    assert_eq!(device.verdict(lead(number)).await, Verdict::Quarantined, "sent again, recorded once");
    assert_eq!(device.verdict(lead(1)).await, Verdict::Duplicate, "what the store has it may forget");
    let no_terms = lead_with(number + 1, |lead| lead["consents"] = json!([]));
    assert_eq!(device.verdict(no_terms).await, Verdict::Invalid);
    let quarantine = leadlog(&server.database_url, &["quarantine", "list"]).await.out;
    assert!(quarantine.contains("handed in by a device that was revoked"), "{quarantine}");
    assert_eq!(server.count("SubmissionRefused").await, 2);
    assert_eq!(server.count("LeadCaptured").await, i64::try_from(number).unwrap() - 1);

    // Let in again, it sends what it still holds, and the quarantine lets go of it.
    let back = Device::enrolled(&server, "iPad 7", "ipad-7").await;
    assert_eq!(back.verdict(lead(number)).await, Verdict::Created);
    let quarantine = leadlog(&server.database_url, &["quarantine", "list"]).await.out;
    assert!(!quarantine.contains("handed in by a device that was revoked"), "{quarantine}");
}

#[actix_web::test]
async fn the_command_line_says_what_it_wants() {
    let server = Server::start().await;
    for (args, told) in [
        (vec!["enrol", " iPad"], "1 to 40 characters"),
        (vec!["enrol", "iPad 7", "--for", "2d"], "24h at most"),
        (vec!["enrol", "iPad 7", "--for", "0s"], "must work for a while"),
        (
            vec!["enrol", "iPad 7", "--campaign", "summer"],
            "there is no campaign summer; there are: shootout-2026",
        ),
        (vec!["enrol", "iPad 7", "--url", "leads.example.com"], "must begin with https://"),
        (vec!["revoke", "iPad 9"], "nothing was enrolled as"),
    ] {
        let said = leadlog(&server.database_url, &[&["devices"], &args[..]].concat()).await;
        assert!(!said.is_success && said.error.contains(told), "{args:?}: {}{}", said.out, said.error);
    }
    let enrol = ["devices", "enrol", "iPad 7", "--url", "https://leads.example.com/"];
    let shown = leadlog(&server.database_url, &enrol).await.out;
    assert!(shown.contains("https://leads.example.com/#connect="), "{shown}");
    // A code that nobody used is taken back like a device.
    let revoked = leadlog(&server.database_url, &["devices", "revoke", "iPad 7"]).await.out;
    assert!(revoked.contains("works no longer"), "{revoked}");
}
