//! `leadlog backups` and `leadlog import`: the ways back into the log.

use std::path::{Path, PathBuf};

use domain::Timestamp;
use event_store::testing::fresh_store;
use leadlog::office;
use leadlog::store::Store;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::backups::{back_up, snapshot};
use crate::bad_input::gzip;
use crate::program::{Said, leadlog};
use crate::server::{Server, lead, lead_with};

/// What a device saved: two leads, a third that was corrected twice, one that breaks a rule, and one that it restored
/// from another installation.
fn outbox() -> Vec<Value> {
    let version = |number: u64, version: u64, seq: u64| {
        lead_with(number, |lead| {
            lead["version"] = version.into();
            lead["deviceSeq"] = seq.into();
            if version > 1 {
                lead["kind"] = "corrected".into();
                lead["contact"]["firstName"] =
                    format!("Anna {}", "I".repeat(usize::try_from(version).unwrap())).into();
            }
        })
    };
    vec![
        lead(1),
        lead(2),
        version(3, 1, 3),
        version(3, 2, 4),
        lead_with(5, |lead| lead["contact"]["email"] = "nobody".into()),
        version(3, 3, 6),
        lead_with(7, |lead| lead["deviceId"] = "before-it-was-wiped".into()),
    ]
}

/// Everything about leads that a log holds, but for places and times.
async fn streams(pool: &PgPool) -> Vec<(String, String, i64, String, String, Option<String>)> {
    sqlx::query_as(
        "SELECT aggregate_type, aggregate_id, sequence, event_type, payload::text, metadata ->> 'digest' FROM events \
         WHERE aggregate_type <> 'device_report' ORDER BY 1, 2, 3",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        let path: PathBuf = Path::join(self.0.path(), name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

async fn import(url: &str, files: &[&str]) -> Said {
    leadlog(url, &[&["import"], files].concat()).await
}

/// Invariant 6: sync, a backup and files converge to the same streams, repeated, mixed, and in any order.
#[actix_web::test]
async fn every_way_back_gives_the_streams_that_a_sync_gives() {
    let synced = Server::start().await;
    synced.sync(&outbox()).await;
    let expected = streams(&synced.pool).await;
    assert_eq!(expected.len(), 7);

    let recovered = Server::start().await;
    back_up(&recovered, &snapshot("ipad-7", &outbox())).await;
    for told in ["created", "duplicate:"] {
        let said = leadlog(&recovered.database_url, &["backups", "recover", "ipad-7"]).await;
        assert!(said.is_success && said.out.contains(told), "{}{}", said.out, said.error);
        assert_eq!(streams(&recovered.pool).await, expected);
    }

    // Later versions first, in another file than what they stand on; a part came by sync before.
    let (files, (pool, url)) = (Files::new(), fresh_store().await);
    let mut backwards = outbox();
    backwards.reverse();
    let part = |range: std::ops::Range<usize>| snapshot("ipad-7", &backwards[range]).to_string();
    let late = files.write("late.json", part(0..3).as_bytes());
    let early = files.write("early.json.gz", &gzip(part(3..7).as_bytes()));
    let marked = files.write("marked.json", format!("\u{feff}{}", part(0..7)).as_bytes());
    for files in [vec![&*late, &*early], vec![&*early, &*late, &*late], vec![&*marked]] {
        let said = import(&url, &files).await;
        assert!(said.is_success, "{}{}", said.out, said.error);
        assert_eq!(streams(&pool).await, expected);
    }

    let mixed = Server::start().await;
    mixed.sync(&[outbox()[2].clone(), outbox()[3].clone(), outbox()[0].clone()]).await;
    assert!(import(&mixed.database_url, &[&late, &early]).await.is_success);
    mixed.sync(&outbox()).await;
    assert_eq!(streams(&mixed.pool).await, expected);
}

/// Invariant 9: an iPad that is lost may hold more than its last file or backup. Taking those in is not hearing it.
#[actix_web::test]
async fn what_is_taken_in_is_not_the_voice_of_its_ipad() {
    let (_, url) = fresh_store().await;
    let files = Files::new();
    let mut with_a_gap = snapshot("ipad-8", &[lead_with(2, |lead| lead["deviceId"] = "ipad-8".into())]);
    with_a_gap["savedThrough"] = 2.into();
    let ipads = [("7.json", snapshot("ipad-7", &[lead(1)])), ("8.json", with_a_gap)];
    let ipads = ipads.map(|(name, snapshot)| files.write(name, snapshot.to_string().as_bytes()));
    assert!(import(&url, &[&ipads[0], &ipads[1]]).await.is_success);
    let said = leadlog(&url, &["devices", "--json"]).await;
    let devices: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let fields = |device: &Value| ["deviceId", "heardAt", "standing"].map(|field| device[field].clone());
    let expected =
        [["ipad-7".into(), Value::Null, "unknown".into()], ["ipad-8".into(), Value::Null, "missing".into()]];
    assert_eq!(devices.iter().map(fields).collect::<Vec<_>>(), expected, "{}", said.out);
}

/// SYN-10: what cannot be taken in is named, costs the rest nothing, and the exit code tells.
#[actix_web::test]
async fn what_cannot_be_taken_in_is_named_and_the_rest_is_taken() {
    let (pool, url) = fresh_store().await;
    let files = Files::new();
    let mut damaged = snapshot("ipad-7", &[lead(1), lead(2), outbox()[5].clone()]);
    damaged["records"]["entries"][0]["entry"] = "{\"contact\":{\"firstName\":\"Secretina".into();
    damaged["pendingForms"] = json!([{ "v": 1, "form": "{\"firstName\":\"Secretina\"}" }]);
    let damaged = files.write("damaged.json", damaged.to_string().as_bytes());
    let packed = gzip(snapshot("ipad-8", &[lead(9)]).to_string().as_bytes());
    let cut = files.write("cut.json.gz", &packed[..packed.len() / 2]);
    let other = files.write("other.json", b"{\"name\":\"Secretina\"}");
    let empty = files.write("empty.json", b"{}");
    let good = files.write("good.json", snapshot("ipad-8", &[lead(8)]).to_string().as_bytes());
    let nowhere = format!("{good}.nowhere");
    let said = import(&url, &[&damaged, &cut, &other, &empty, &nowhere, &good]).await;
    assert!(!said.is_success);
    assert!(said.out.contains("2  created"), "{}", said.out);
    for named in [
        "record 1, number 1 of device ipad-7",
        "1 form(s)",
        "cut.json.gz",
        "other.json",
        "empty.json: is not what an iPad exports (the document is not as documented, at line 1 column 2)",
        "the button \"Export file\"",
        "nowhere",
        "version 3 of lead",
    ] {
        assert!(said.error.contains(named), "{named}: {}", said.error);
    }
    assert!(!said.error.contains("Secretina") && !said.out.contains("Secretina"));
    assert_eq!(streams(&pool).await.len(), 2);
}

/// SYN-9: a list, and what one holds, without personal data unless asked.
#[actix_web::test]
async fn backups_are_shown_without_personal_data_unless_asked() {
    let server = Server::start().await;
    let mut shipped =
        snapshot("ipad-7", &[lead(1), lead(4), lead_with(9, |lead| lead["deviceId"] = "older".into())]);
    shipped["savedThrough"] = 6.into();
    back_up(&server, &snapshot("ipad-7", &[lead(1)])).await;
    back_up(&server, &shipped).await;
    let backups = async |args: &[&str]| {
        let said = leadlog(&server.database_url, &[&["backups"], args].concat()).await;
        assert!(said.is_success, "{}", said.error);
        said.out
    };
    let listed: Value = serde_json::from_str(&backups(&["list", "--json"]).await).unwrap();
    assert_eq!(
        (&listed[0]["version"], &listed[0]["leads"], &listed[1]["leads"]),
        (&json!(2), &json!(3), &json!(1))
    );
    assert!(backups(&["list", "ipad-7"]).await.lines().nth(1).unwrap().starts_with("ipad-7  2"));
    let shown = backups(&["show", "ipad-7"]).await;
    assert!(shown.contains("1, 4 of ipad-7; missing: 2-3, 5-6"), "{shown}");
    assert!(shown.contains("9 of older; missing: 1-8"), "{shown}");
    assert!(!shown.contains("anna") && !shown.contains("Anna"), "{shown}");
    assert!(backups(&["show", "ipad-7", "--version", "1"]).await.contains("leads         1"));
    assert!(backups(&["show", "ipad-7", "--leads"]).await.contains("anna4@example.com"));
    let unknown = leadlog(&server.database_url, &["backups", "recover", "ipad-7", "--version", "7"]).await;
    assert!(
        !unknown.is_success && unknown.error.contains("no version 7; there are 2, 1"),
        "{}",
        unknown.error
    );
    let unknown = leadlog(&server.database_url, &["backups", "show", "ipad-8"]).await;
    assert!(unknown.error.contains("no backup of ipad-8; `leadlog backups list`"), "{}", unknown.error);
    for args in [&["backups", "--help"][..], &["backups", "recover", "--help"], &["import", "--help"]] {
        let help = leadlog(&server.database_url, args).await.out;
        assert!(help.contains("Works beside a running server") || help.contains("Harmless"), "{help}");
    }
}

/// DESIGN section 11: a resend, from anywhere, stays erased.
#[actix_web::test]
async fn who_was_erased_does_not_come_back_from_a_file() {
    let (pool, url) = fresh_store().await;
    let store = Store::open(&url).await.unwrap();
    let (files, at): (Files, Timestamp) = (Files::new(), "2026-05-24T09:00:00Z".parse().unwrap());
    let file = files.write("a.json", snapshot("ipad-7", &[lead(1), lead(2)]).to_string().as_bytes());
    assert!(import(&url, &[&file]).await.is_success);
    office::erase(&store, lead(1)["clientId"].as_str().unwrap().parse().unwrap(), None, at).await.unwrap();
    let said = import(&url, &[&file]).await;
    assert!(said.is_success && said.out.contains("1  erased"), "{}{}", said.out, said.error);
    assert!(streams(&pool).await.iter().all(|(.., payload, _)| !payload.contains("anna1@")));
}

/// A file of a later app is no empty one, and no damaged one.
#[actix_web::test]
async fn a_file_of_a_later_app_asks_for_an_update_and_what_can_be_read_is_taken_in() {
    let (_, url) = fresh_store().await;
    let files = Files::new();
    let later = |entries: &[Value]| {
        let mut later = snapshot("ipad-7", entries);
        later["v"] = 99.into();
        later
    };
    let mut another = later(&[]);
    another.as_object_mut().unwrap().remove("records");
    for (document, taken) in [(later(&[]), ""), (another, ""), (later(&[lead(1)]), "1  created")] {
        let file = files.write("later.json", document.to_string().as_bytes());
        let said = import(&url, &[&file]).await;
        assert!(
            !said.is_success && said.error.contains("Update this program"),
            "{} {}",
            said.out,
            said.error
        );
        assert!(said.out.contains(taken) && !said.out.contains("nothing to take in"), "{}", said.out);
    }
}
