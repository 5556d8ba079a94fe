//! What a CA of one's own promises to iPads, and to people who would not like it to vouch for everything.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use plist::Value;
use rcgen::Issuer;
use tempfile::TempDir;
use time::macros::datetime;

use super::*;
use crate::der::Contents;
use crate::{ProfileText, configuration_profile};

const TODAY: OffsetDateTime = datetime!(2026-06-20 12:00 UTC);

struct Laptop {
    folder: TempDir,
}

impl Laptop {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn tls(&self) -> PathBuf {
        self.folder.path().join("data/tls")
    }

    fn open_at(&self, wanted: &Wanted, clock: OffsetDateTime) -> Result<OwnCertificates, OwnError> {
        OwnCertificates::open(&self.tls(), "Leadlog hub-1", &[], wanted, clock)
    }

    fn open(&self) -> OwnCertificates {
        self.open_at(&at(&["192.168.1.7"]), TODAY).unwrap()
    }
}

fn at(addresses: &[&str]) -> Wanted {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Wanted { names: vec!["hub-1.local".to_owned()], addresses }
}

/// What an iPad says that trusts this CA alone.
fn judge(
    authority: &AuthorityInfo,
    chain: &[CertificateDer<'_>],
    name: &str,
    now: OffsetDateTime,
) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der.as_slice())).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let seconds = u64::try_from(now.unix_timestamp()).unwrap();
    let now = UnixTime::since_unix_epoch(StdDuration::from_secs(seconds));
    let name = ServerName::try_from(name).unwrap();
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).map(drop)
}

impl OwnCertificates {
    fn is_trusted_as(&self, name: &str, now: OffsetDateTime) -> bool {
        judge(self.authority(), &self.certificates.current().cert, name, now).is_ok()
    }

    fn shown(&self) -> Vec<u8> {
        self.certificates.current().cert[0].to_vec()
    }
}

#[test]
fn an_ipad_that_trusts_the_ca_reaches_the_hub_by_each_of_its_names() {
    let laptop = Laptop::new();
    let own = laptop.open();
    for name in ["hub-1.local", "localhost", "192.168.1.7", "127.0.0.1", "::1"] {
        assert!(own.is_trusted_as(name, TODAY), "{name}");
    }
    for name in ["hub-2.local", "192.168.1.8", "example.com"] {
        assert!(!own.is_trusted_as(name, TODAY), "{name}");
    }
    let contents = Contents::of(&own.shown());
    assert!(contents.is_some_and(|leaf| leaf.not_after - leaf.not_before <= Duration::days(398)));
}

/// Whoever steals the hub's key can be any hub, and nobody else.
#[test]
fn the_key_on_the_disk_can_vouch_for_nobody_else() {
    let laptop = Laptop::new();
    let names = ["hub.example.com".to_owned()];
    let wanted = Wanted { names: names.to_vec(), addresses: Vec::new() };
    let own = OwnCertificates::open(&laptop.tls(), "Leadlog hub-1", &names, &wanted, TODAY).unwrap();
    assert!(own.is_trusted_as("hub.example.com", TODAY));

    let home = laptop.tls().join("authority");
    let key = KeyPair::from_pem(&fs::read_to_string(home.join("issuer.key")).unwrap()).unwrap();
    let issuer_pem = fs::read_to_string(home.join("issuer.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&issuer_pem, key).unwrap();
    let forged = |name: &str| {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (TODAY, TODAY + VALIDITY);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        let chain = [leaf.der().clone(), own.authority.issuer_certificate().clone()];
        judge(own.authority(), &chain, name, TODAY)
    };
    for name in ["hub-7.local", "10.1.2.3", "169.254.3.4", "fd12::1"] {
        assert_eq!(forged(name), Ok(()), "{name}");
    }
    for name in [
        "bank.example",
        "example.com",
        "local.example.com",
        "notlocal",
        "203.0.113.9",
        "2001:db8::1",
        "100.64.0.1",
    ] {
        assert!(forged(name).is_err(), "{name}");
    }
    // Nor make a CA that could.
    let files: Vec<String> =
        fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files.iter().filter(|name| name.ends_with(".key")).count(), 1, "{files:?}");
    assert!(Contents::of(&own.authority().der).is_some_and(|root| !root.permitted_names.is_empty()));
}

#[test]
fn a_restart_keeps_the_ca_and_nobody_else_reads_its_key() {
    let laptop = Laptop::new();
    let first = laptop.open().authority().fingerprint();
    assert_eq!(laptop.open().authority().fingerprint(), first);
    assert_eq!((first.len(), first.split(' ').count()), (95, 32));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let home = laptop.tls().join("authority");
    assert_eq!((mode(&laptop.tls()), mode(&home)), (0o700, 0o700));
    assert_eq!(mode(laptop.tls().parent().unwrap()), 0o711, "the database's own user must reach its folder");
    for file in ["ca.pem", "issuer.pem", "issuer.key"] {
        assert_eq!(mode(&home.join(file)), 0o600, "{file}");
    }
    // A folder that is there may be of others, too.
    let shared = Laptop::new();
    fs::create_dir_all(shared.tls()).unwrap();
    fs::set_permissions(shared.tls(), fs::Permissions::from_mode(0o755)).unwrap();
    shared.open();
    assert_eq!((mode(&shared.tls()), mode(&shared.tls().join("authority"))), (0o755, 0o700));
    // A copy that was brought back by a tool with habits of its own.
    fs::set_permissions(home.join("issuer.key"), fs::Permissions::from_mode(0o644)).unwrap();
    laptop.open();
    assert_eq!(mode(&home.join("issuer.key")), 0o600);
}

#[test]
fn two_hubs_of_one_name_have_two_cas_that_people_can_tell_apart() {
    let (one, other) = (Laptop::new().open(), Laptop::new().open());
    assert_ne!(one.authority().fingerprint(), other.authority().fingerprint());
    assert_ne!(one.authority().name, other.authority().name);
    assert!(one.authority().name.starts_with("Leadlog hub-1 "), "{}", one.authority().name);
}

#[test]
fn another_network_gets_a_new_certificate_of_the_same_ca() {
    let laptop = Laptop::new();
    let mut own = laptop.open();
    let (ca, first) = (own.authority().fingerprint(), own.shown());
    own.look(&at(&["192.168.1.7"]), TODAY);
    assert_eq!(own.shown(), first, "nothing has changed");
    own.look(&at(&["10.0.0.4", "fd00::4"]), TODAY);
    for name in ["10.0.0.4", "fd00::4", "hub-1.local"] {
        assert!(own.is_trusted_as(name, TODAY), "{name}");
    }
    let second = own.shown();
    // The WiFi goes and comes back.
    own.look(&at(&[]), TODAY);
    own.look(&at(&["10.0.0.4"]), TODAY);
    assert_eq!(own.shown(), second);
    // Somebody else has the name, so the hub has another one.
    own.look(&Wanted { names: vec!["hub-1-2.local".to_owned()], ..at(&["10.0.0.4"]) }, TODAY);
    assert!(own.is_trusted_as("hub-1-2.local", TODAY));
    assert_eq!(own.authority().fingerprint(), ca);
}

#[test]
fn a_public_address_is_left_out_and_costs_the_others_nothing() {
    let laptop = Laptop::new();
    let own = laptop.open_at(&at(&["203.0.113.9", "192.168.1.7", "2001:db8::1"]), TODAY).unwrap();
    assert!(own.is_trusted_as("192.168.1.7", TODAY));
    assert!(!own.is_trusted_as("203.0.113.9", TODAY));
    assert!(!own.covers_address("203.0.113.9".parse().unwrap()));
}

#[test]
fn a_certificate_is_made_anew_before_it_ends() {
    let laptop = Laptop::new();
    let mut own = laptop.open();
    let wanted = at(&["192.168.1.7"]);
    for days in [100, 180, 300, 700, 3000] {
        let now = TODAY + Duration::days(days);
        own.look(&wanted, now);
        assert!(own.is_trusted_as("hub-1.local", now), "after {days} days");
        assert!(
            own.is_trusted_as("hub-1.local", now + RENEW_BEFORE_END - Duration::days(1)),
            "after {days} days"
        );
    }
    let error = laptop.open_at(&wanted, TODAY + VALIDITY * 10).err().unwrap().to_string();
    assert!(error.contains("ended at") && error.contains("move"), "{error}");
}

/// Clocks of iPads go right: the network sets them.
#[test]
fn a_clock_that_was_wrong_when_the_ca_was_made_does_no_harm() {
    let wanted = at(&["192.168.1.7"]);
    // Months off, either way, and never noticed.
    for off in [-150, 150] {
        let laptop = Laptop::new();
        let own = laptop.open_at(&wanted, TODAY + Duration::days(off)).unwrap();
        assert!(own.is_trusted_as("hub-1.local", TODAY), "{off} days");
    }
    // Years off, and then set.
    for wrong in [datetime!(2031-01-01 00:00 UTC), datetime!(1970-01-01 00:00 UTC)] {
        let laptop = Laptop::new();
        let mut own = laptop.open_at(&wanted, wrong).unwrap();
        let ca = own.authority().fingerprint();
        own.look(&wanted, TODAY);
        assert!(own.is_trusted_as("hub-1.local", TODAY), "{wrong}");
        let own = laptop.open_at(&wanted, TODAY).unwrap();
        assert!(own.is_trusted_as("hub-1.local", TODAY), "{wrong}");
        assert_eq!(own.authority().fingerprint(), ca);
    }
    // A clock without a battery starts at 1970 each morning.
    let laptop = Laptop::new();
    laptop.open();
    let own = laptop.open_at(&wanted, datetime!(1970-01-01 00:00 UTC)).unwrap();
    assert!(own.is_trusted_as("hub-1.local", TODAY + Duration::days(90)));
}

#[test]
fn a_ca_that_is_broken_is_told_and_never_replaced() {
    let wanted = at(&[]);
    type Damage = fn(&Path);
    let break_it: [(&str, Damage, &str); 4] = [
        ("issuer.key", |file| fs::remove_file(file).unwrap(), "cannot be read"),
        ("issuer.key", |file| fs::write(file, "half").unwrap(), "holds no key"),
        ("issuer.pem", |file| fs::write(file, "").unwrap(), "holds no certificate"),
        (
            "ca.pem",
            |file| fs::copy(file.with_file_name("issuer.pem"), file).map(drop).unwrap(),
            "another certificate than the root",
        ),
    ];
    for (name, damage, told) in break_it {
        let laptop = Laptop::new();
        laptop.open();
        let home = laptop.tls().join("authority");
        damage(&home.join(name));
        let before = fs::read(home.join("ca.pem")).unwrap();
        let error = laptop.open_at(&wanted, TODAY).err().unwrap().to_string();
        assert!(error.contains(told) && error.contains("move"), "{name}: {error}");
        assert_eq!(fs::read(home.join("ca.pem")).unwrap(), before, "{name}");
    }
    let other = Laptop::new();
    other.open();
    let laptop = Laptop::new();
    laptop.open();
    fs::copy(other.tls().join("authority/issuer.key"), laptop.tls().join("authority/issuer.key")).unwrap();
    let error = laptop.open_at(&wanted, TODAY).err().unwrap().to_string();
    assert!(error.contains("not the issuer's"), "{error}");
    let laptop = Laptop::new();
    laptop.open();
    fs::copy(other.tls().join("authority/ca.pem"), laptop.tls().join("authority/ca.pem")).unwrap();
    let error = laptop.open_at(&wanted, TODAY).err().unwrap().to_string();
    assert!(error.contains("no client accepts"), "{error}");
}

#[test]
fn a_name_that_the_ca_was_not_made_for_is_told() {
    let laptop = Laptop::new();
    laptop.open();
    let names = ["hub.example.com".to_owned()];
    let wanted = Wanted { names: names.to_vec(), addresses: Vec::new() };
    let open = |names: &[String]| OwnCertificates::open(&laptop.tls(), "Leadlog", names, &wanted, TODAY);
    let error = open(&names).err().unwrap().to_string();
    for told in ["hub.example.com", "local, localhost", "--tls-name", "move"] {
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(open(&["hub-9.local".to_owned()]).is_ok(), "any .local name");
}

#[test]
fn a_ca_that_was_not_finished_is_made_again() {
    let laptop = Laptop::new();
    let unfinished = laptop.tls().join(".authority-abc");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("issuer.key"), "half").unwrap();
    laptop.open();
    assert!(!unfinished.exists());
}

#[test]
fn the_profile_holds_the_ca_and_takes_its_own_place() {
    let (laptop, other) = (Laptop::new(), Laptop::new());
    let profile = |laptop: &Laptop, name: &str| {
        let own = laptop.open();
        let text = ProfileText { name, description: "Zażółć <gęślą> & jaźń" };
        let xml = configuration_profile(own.authority(), text).unwrap();
        (own.authority().der.clone(), Value::from_reader_xml(xml.as_slice()).unwrap())
    };
    let (ca, polish) = profile(&laptop, "Leadlog: hub w sali");
    let (_, english) = profile(&laptop, "Leadlog: hub in the hall");
    let (_, foreign) = profile(&other, "Leadlog: hub w sali");
    let get = |profile: &Value, key: &str| profile.as_dictionary().unwrap()[key].clone();
    assert_eq!(get(&polish, "PayloadDescription").as_string(), Some("Zażółć <gęślą> & jaźń"));
    for key in ["PayloadIdentifier", "PayloadUUID"] {
        assert_eq!(get(&polish, key), get(&english, key), "{key}");
        assert_ne!(get(&polish, key), get(&foreign, key), "{key}");
    }
    let payloads = get(&polish, "PayloadContent");
    let payload = &payloads.as_array().unwrap()[0];
    assert_eq!(get(payload, "PayloadType").as_string(), Some("com.apple.security.root"));
    assert_eq!(get(payload, "PayloadContent").as_data(), Some(ca.as_slice()));
    assert_ne!(get(payload, "PayloadUUID"), get(&polish, "PayloadUUID"));
}
