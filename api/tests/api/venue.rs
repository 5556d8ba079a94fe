//! A cloud, a hub and an iPad as hosts of their own, whose links are cut and are bad (TIER-4, invariants 2 and 3).
//!
//! Where nobody may make such hosts, this says so and cuts nothing: what it does without cut links is in `hub.rs`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use venue::{Cable, Host, Venue};

use crate::hub::{all_relayed, code_in, exported, give, sync};
use crate::program::{DataDir, Program};
use crate::server::lead;

/// What a crowded hall makes of a WiFi: from the hub to the cloud and back in 0.6 s, and of ten packets one is lost on the way.
const CROWDED: Cable = Cable::poor(Duration::from_millis(150), 5);

/// One of the hosts, and what it keeps. The test itself is the iPad, on the same network.
struct Place<'a> {
    venue: &'a Venue,
    host: &'a Host,
    data: DataDir,
}

impl<'a> Place<'a> {
    fn at(venue: &'a Venue, host: &'a Host) -> Self {
        Self { venue, host, data: DataDir::new() }
    }

    /// Starts `leadlog` on this host.
    fn start(&self, args: &[&str], trusts: Option<&Path>) -> Program {
        let mut command = self.host.command(env!("CARGO_BIN_EXE_leadlog"));
        command.args(args).arg("--data-dir").arg(self.data.path()).env_remove("DATABASE_URL");
        if let Some(ca) = trusts {
            command.env("SSL_CERT_FILE", ca);
        }
        Program::start(command)
    }

    /// From now on, its cable is like this.
    fn gets(&self, cable: Cable) {
        self.venue.set_cable(&self.host.name, cable);
    }
}

#[actix_web::test]
async fn whatever_link_is_cut_or_poor_and_for_how_long_every_lead_is_in_the_cloud_once() {
    let Some(venue) = Venue::if_possible(&["cloud", "hub"]) else { return };
    let [cloud, hub] = [0, 1].map(|host| Place::at(&venue, &venue.hosts()[host]));
    let setup = format!("{}:8090", cloud.host.address);
    let listen = format!("{}:8443", cloud.host.address);
    let serve = ["serve", "--listen", &listen, "--tls-own-ca", "--no-mdns", "--setup-listen", &setup];
    let at_cloud = cloud.start(&serve, None);
    let mut answer =
        awc::Client::default().get(format!("http://{setup}/leadlog-ca.pem")).send().await.unwrap();
    let ca = cloud.data.path().with_file_name("ca.pem");
    std::fs::write(&ca, answer.body().await.unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["hubs", "enrol", "hub-1", "--json", "--data-dir"]).arg(cloud.data.path());
    let shown = actix_web::web::block(move || command.output().unwrap()).await.unwrap();
    let code = code_in(&String::from_utf8(shown.stdout).unwrap());

    let (url, listen) =
        (format!("https://{}:8443", cloud.host.address), format!("{}:8080", hub.host.address));
    let relay = ["hub", "--cloud", &url, "--code", &code, "--listen", &listen];
    let at_hub = hub.start(&relay, Some(&ca));
    let address = format!("http://{listen}");
    let token = Program::token(&hub.data.path(), "capture").await;
    give(&address, &token, 1..=20).await;
    all_relayed(&address, &token).await;

    // The way out, while leads come in.
    cloud.gets(Cable::CUT);
    give(&address, &token, 21..=40).await;
    let alone = sync(&address, &token, &json!({ "entries": [] })).await.unwrap();
    assert!(alone.store.relayed_through < Some(alone.store.head), "nobody took what came since");
    cloud.gets(Cable::GOOD);
    all_relayed(&address, &token).await;

    // The hub's own, in the middle of what an iPad sends: it hears nothing, and sends it again.
    hub.gets(Cable::CUT);
    let entries: Vec<Value> = (41..=60).map(lead).collect();
    let body = json!({ "entries": entries });
    let unheard = tokio::time::timeout(Duration::from_secs(1), sync(&address, &token, &body)).await;
    assert!(unheard.is_err(), "a cut link says nothing");
    hub.gets(Cable::GOOD);
    give(&address, &token, 41..=60).await;

    // Both, and the hub is killed before there is a way out again.
    cloud.gets(Cable::CUT);
    give(&address, &token, 61..=80).await;
    at_hub.kill();
    let at_hub = hub.start(&relay, Some(&ca));

    // Both are back, but poor, and so they stay while more comes in.
    cloud.gets(CROWDED);
    hub.gets(CROWDED);
    for lead in 81..=90 {
        give(&address, &token, [lead]).await;
    }
    all_relayed(&address, &token).await;
    assert!(at_hub.interrupt() && at_cloud.interrupt());
    assert_eq!(exported(&cloud.data.path()).len(), 90);
}
