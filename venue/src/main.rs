//! The program `venue`, for tests that are not in Rust.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Map, json};
use venue::{Cable, Venue};

/// Makes computers of these names, and says in a line of JSON where they are.
///
/// Then it reads lines (`cut NAME`, `poor NAME MILLISECONDS PERCENT`, `mend NAME`), does what they say to that computer's cable, and
/// answers each with `done` or what is wrong. The computers go when there is nothing more to read, so also when whoever asked for
/// them was killed.
#[derive(Parser)]
struct Args {
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

fn main() -> ExitCode {
    let Args { names } = Args::parse();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let venue = match Venue::with_hosts(&names) {
        Ok(venue) => venue,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match serve(&venue, &names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(venue: &Venue, names: &[&str]) -> io::Result<()> {
    let host = |host: &venue::Host| {
        (host.name.clone(), json!({ "namespace": host.namespace, "address": host.address.to_string() }))
    };
    let hosts: Map<_, _> = venue.hosts().iter().map(host).collect();
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::Value::Object(hosts))?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        match wish(&line).filter(|(name, _)| names.contains(name)) {
            Some((name, cable)) => {
                venue.set_cable(name, cable);
                writeln!(out, "done")?;
            }
            None => writeln!(out, "not understood: {line}")?,
        }
        out.flush()?;
    }
    Ok(())
}

/// Which computer's cable a line wants to be how.
fn wish(line: &str) -> Option<(&str, Cable)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["cut", name] => Some((name, Cable::CUT)),
        ["mend", name] => Some((name, Cable::GOOD)),
        ["poor", name, delay_ms, loss_percent] => {
            let delay = Duration::from_millis(delay_ms.parse().ok()?);
            Some((name, Cable::poor(delay, loss_percent.parse().ok()?)))
        }
        _ => None,
    }
}
