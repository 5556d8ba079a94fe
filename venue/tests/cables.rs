//! The cables of a venue, asked from outside: a computer on which nobody listens refuses a connection, if it hears of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use venue::{Cable, Venue};

/// How a connection to this computer ends, and after how long.
fn knock(venue: &Venue, host: usize, patience: Duration) -> (ErrorKind, Duration) {
    let address = SocketAddr::from((venue.hosts()[host].address, 9));
    let begun = Instant::now();
    let error = TcpStream::connect_timeout(&address, patience).unwrap_err();
    (error.kind(), begun.elapsed())
}

#[test]
fn a_cable_is_cut_and_mended_and_takes_its_time() {
    let Some(venue) = Venue::if_possible(&["one", "other"]) else { return };
    venue.set_cable("one", Cable::CUT);
    assert_eq!(knock(&venue, 0, Duration::from_millis(300)).0, ErrorKind::TimedOut);
    assert_eq!(
        knock(&venue, 1, Duration::from_secs(5)).0,
        ErrorKind::ConnectionRefused,
        "the other is whole"
    );

    let delay = Duration::from_millis(100);
    venue.set_cable("one", Cable::poor(delay, 0));
    let (said, after) = knock(&venue, 0, Duration::from_secs(30));
    assert_eq!(said, ErrorKind::ConnectionRefused);
    assert!(after >= 2 * delay, "there and back in {after:?}");

    venue.set_cable("one", Cable::GOOD);
    assert_eq!(knock(&venue, 0, Duration::from_secs(30)).0, ErrorKind::ConnectionRefused);
    let namespace = venue.hosts()[0].namespace.clone();
    let reaches =
        venue.hosts()[1].command("ip").args(["route", "get", &venue.hosts()[0].address.to_string()]).status();
    assert!(reaches.unwrap().success(), "the hosts are on one network");
    drop(venue);
    let is_left = |file: String, folder: &str| std::path::Path::new(folder).join(file).exists();
    let number = namespace.split('-').nth(1).unwrap();
    assert!(
        !is_left(namespace.clone(), "/run/netns") && !is_left(format!("leadlog{number}-0"), "/sys/class/net")
    );
}
