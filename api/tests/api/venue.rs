//! A cloud, a hub and an iPad as hosts of their own, whose links are cut (TIER-4, invariants 2 and 3): a cut link says nothing,
//! where a process that was killed closes its connections.
//!
//! Network namespaces make the hosts, by `ip` of iproute2. Where nobody may make them, this says so and cuts nothing.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::hub::{all_relayed, code_in, exported, give, sync, until};
use crate::program::{DataDir, Program};
use crate::server::lead;

/// A network with a switch in the middle. The test itself is the iPad, beside the switch.
struct Venue {
    /// Names and addresses that no other run of this test has at the same time.
    number: u32,
}

/// One host of it.
struct Place {
    name: String,
    /// The switch's end of its cable.
    cable: String,
    address: String,
    data: DataDir,
}

fn ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(args).output().map_err(|error| error.to_string())?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("ip {}: {}", args.join(" "), said())) }
}

impl Venue {
    fn new() -> Result<Self, String> {
        let venue = Self { number: std::process::id() % 200 + 1 };
        let switch = venue.switch();
        ip(&["link", "add", &switch, "type", "bridge"])?;
        ip(&["addr", "add", &format!("{}/24", venue.address(1)), "dev", &switch])?;
        ip(&["link", "set", &switch, "up"])?;
        Ok(venue)
    }

    fn switch(&self) -> String {
        format!("leadlog-{}", self.number)
    }

    fn address(&self, host: u8) -> String {
        format!("10.77.{}.{host}", self.number)
    }

    fn place(&self, host: u8) -> Result<Place, String> {
        let (name, cable) = (format!("leadlog-{}-{host}", self.number), format!("ll{}-{host}", self.number));
        let address = self.address(host);
        ip(&["netns", "add", &name])?;
        let place = Place { name, cable, address, data: DataDir::new() };
        let (name, cable) = (place.name.as_str(), place.cable.as_str());
        ip(&["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name])?;
        ip(&["link", "set", cable, "master", &self.switch(), "up"])?;
        ip(&["-n", name, "addr", "add", &format!("{}/24", place.address), "dev", "eth0"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        ip(&["-n", name, "link", "set", "eth0", "up"])?;
        Ok(place)
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        let _ = ip(&["link", "del", &self.switch()]);
    }
}

impl Place {
    /// Starts `leadlog` on this host.
    fn start(&self, args: &[&str], trusts: Option<&Path>) -> Program {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, env!("CARGO_BIN_EXE_leadlog")]).args(args);
        command.arg("--data-dir").arg(self.data.path()).env_remove("DATABASE_URL");
        if let Some(ca) = trusts {
            command.env("SSL_CERT_FILE", ca);
        }
        Program::start(command)
    }

    fn cut(&self) {
        ip(&["link", "set", &self.cable, "down"]).unwrap();
    }

    fn mend(&self) {
        ip(&["link", "set", &self.cable, "up"]).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.name]);
    }
}

#[actix_web::test]
async fn whatever_link_is_cut_and_for_how_long_every_lead_is_in_the_cloud_once() {
    let hosts = || {
        let venue = Venue::new()?;
        let (cloud, hub) = (venue.place(10)?, venue.place(20)?);
        Ok::<_, String>((cloud, hub, venue))
    };
    let (cloud, hub, _venue) = match hosts() {
        Ok(hosts) => hosts,
        // The same without cut links is in `hub.rs`.
        Err(error) => return eprintln!("no links are cut, because this machine makes no hosts: {error}"),
    };
    let setup = format!("{}:8090", cloud.address);
    let listen = format!("{}:8443", cloud.address);
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

    let (url, listen) = (format!("https://{}:8443", cloud.address), format!("{}:8080", hub.address));
    let relay = ["hub", "--cloud", &url, "--code", &code, "--listen", &listen];
    let at_hub = hub.start(&relay, Some(&ca));
    let address = format!("http://{listen}");
    let token = Program::token(&hub.data.path(), "capture").await;
    give(&address, &token, 1..=20).await;
    all_relayed(&address, &token).await;

    // The way out, while leads come in.
    cloud.cut();
    give(&address, &token, 21..=40).await;
    let alone = sync(&address, &token, &json!({ "entries": [] })).await.unwrap();
    assert!(alone.store.relayed_through < Some(alone.store.head), "nobody took what came since");
    cloud.mend();
    all_relayed(&address, &token).await;

    // The hub's own, in the middle of what an iPad sends: it hears nothing, and sends it again.
    hub.cut();
    let entries: Vec<Value> = (41..=60).map(lead).collect();
    let body = json!({ "entries": entries });
    let unheard = tokio::time::timeout(Duration::from_secs(1), sync(&address, &token, &body)).await;
    assert!(unheard.is_err(), "a cut link says nothing");
    hub.mend();
    give(&address, &token, 41..=60).await;

    // Both, and the hub is killed before there is a way out again.
    cloud.cut();
    give(&address, &token, 61..=80).await;
    at_hub.kill();
    let at_hub = hub.start(&relay, Some(&ca));
    cloud.mend();
    until(async || sync(&address, &token, &json!({ "entries": [] })).await).await;
    all_relayed(&address, &token).await;
    assert!(at_hub.interrupt() && at_cloud.interrupt());
    assert_eq!(exported(&cloud.data.path()).len(), 80);
}
