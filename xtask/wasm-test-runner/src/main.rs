//! The cargo runner of the WASM tests: `wasm-bindgen-test-runner`, built from its library in the version of
//! `Cargo.lock`, so there is no tool to install and none to go out of step. A crate of its own, because only
//! the tests should pay for compiling it.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

/// How long a request of the browser may be stuck.
const KNOCK_EVERY: Duration = Duration::from_millis(500);

fn main() -> anyhow::Result<()> {
    thread::spawn(|| {
        loop {
            thread::sleep(KNOCK_EVERY);
            knock();
        }
    });
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}

/// Opens and closes a connection to each server of this process.
///
/// The library serves the page with `tiny_http` 0.12, whose `TaskPool::spawn` counts threads as idle that are
/// woken already: of five connections at once, as a browser opens them for the modules of a page, the fifth can be
/// left in the queue until another one is closed, which a browser does not do. One more connection gets a thread
/// of its own, and that one looks into the queue when it is done.
fn knock() {
    for port in listening_ports().unwrap_or_default() {
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
    }
}

/// From `/proc`; none where there is no such thing.
fn listening_ports() -> Option<Vec<u16>> {
    const LISTENS: &str = "0A";
    let own: Vec<String> = fs::read_dir("/proc/self/fd")
        .ok()?
        .flatten()
        .filter_map(|it| fs::read_link(it.path()).ok()?.into_os_string().into_string().ok())
        .filter_map(|target| Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string("/proc/self/net/tcp").ok()?;
    let port = |line: &str| {
        // proc(5): number, local address, remote address, state, …; the tenth is the inode.
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_own =
            *fields.get(3)? == LISTENS && own.iter().any(|inode| fields.get(9) == Some(&inode.as_str()));
        let (_, port) = fields.get(1)?.rsplit_once(':')?;
        u16::from_str_radix(port, 16).ok().filter(|_| is_own)
    };
    Some(table.lines().filter_map(port).collect())
}
