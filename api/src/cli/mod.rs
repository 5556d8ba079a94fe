//! The command line. One module per command; every flag about where and how to run has a twin in the
//! environment.

mod backups;
mod campaigns;
mod clients;
mod database;
mod devices;
mod enrolments;
mod export;
mod failure;
mod hub;
mod hubs;
mod import;
mod interruption;
mod keys;
mod lifetime;
mod link;
mod openapi;
mod output;
mod people;
mod projections;
mod qr;
mod quarantine;
mod replayed;
mod serve;
mod stop_signal;
mod tokens;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use database::DatabaseArgs;

/// Captures leads where the network cannot be trusted, and does not lose one.
///
/// Start with `leadlog serve`: it runs its own PostgreSQL, serves the form for the iPads, takes leads in and
/// prints the address to open. `leadlog devices enrol "iPad 1"` lets an iPad in. At the end of the day, `leadlog export contacts --out contacts.csv`; `leadlog
/// devices` says whether any iPad still owes something, `leadlog quarantine list` what needs a look. What an iPad cannot
/// send any more comes back with `leadlog backups recover` or `leadlog import`. `leadlog clients add` lets a CRM take
/// contacts out by itself.
#[derive(Parser)]
#[command(name = "leadlog", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// What to log: error, warn, info, debug, or per module as in `leadlog=debug,sqlx=warn`. Without it, info, and of
    /// the database warnings where it serves, else errors.
    #[arg(long, global = true, env = "LEADLOG_LOG", value_name = "FILTER")]
    log: Option<String>,

    /// Log one JSON object per line, for machines.
    #[arg(long, global = true, env = "LEADLOG_LOG_JSON")]
    log_json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the form and the API.
    Serve(serve::Serve),
    Hub(hub::Hub),
    Hubs(hubs::Hubs),
    // These bring their own words: a line here would take the place of all their help.
    Export(export::Export),
    Campaigns(campaigns::Campaigns),
    Quarantine(quarantine::Quarantine),
    Devices(devices::Devices),
    Backups(backups::Backups),
    Import(import::Import),
    Clients(clients::Clients),
    Tokens(tokens::Tokens),
    Keys(keys::Keys),
    Invite(people::Invite),
    People(people::People),
    Projections(projections::Projections),
    /// Write the OpenAPI document of the API.
    Openapi(openapi::Openapi),
}

/// Runs the program with the process' arguments.
pub fn run() -> ExitCode {
    let cli = parsed();
    start_log(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("leadlog: no threads can be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => serve.run().await,
            Command::Hub(hub) => hub.run().await,
            Command::Hubs(hubs) => hubs.run().await,
            Command::Export(export) => export.run().await,
            Command::Campaigns(campaigns) => campaigns.run().await,
            Command::Quarantine(quarantine) => quarantine.run().await,
            Command::Devices(devices) => devices.run().await,
            Command::Backups(backups) => backups.run().await,
            Command::Import(import) => import.run().await,
            Command::Clients(clients) => clients.run().await,
            Command::Tokens(tokens) => tokens.run().await,
            Command::Keys(keys) => keys.run().await,
            Command::Invite(invite) => invite.run().await,
            Command::People(people) => people.run().await,
            Command::Projections(projections) => projections.run().await,
            Command::Openapi(openapi) => openapi.run(),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leadlog: {}", failure::told(&error));
            ExitCode::from(interruption::status_of(&error))
        }
    }
}

/// Reads the arguments; ends the process when they cannot be read.
fn parsed() -> Cli {
    let mut command = Cli::command();
    command.build();
    let mut command = with_plain_usage(command);
    let matches = command.get_matches_mut();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// An error about arguments shows how the command is called. Left alone, clap would show what is missing beside what is
/// set already, and so take a variable of the environment for a flag that must be given.
fn with_plain_usage(mut command: clap::Command) -> clap::Command {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    command.override_usage(usage).mut_subcommands(with_plain_usage)
}

/// The log goes to standard error: standard output is for what a command was asked for.
fn start_log(cli: &Cli) {
    let filter = cli.log.as_deref().unwrap_or(match cli.command {
        // What the HTTP library says at its start is of no use to anybody, and stands in the middle of what is.
        Command::Serve(_) | Command::Hub(_) => "info,sqlx=warn,actix_server=warn",
        // A statement of a command may take its time: its progress is told.
        _ => "info,sqlx=error",
    });
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|error| {
        eprintln!("leadlog: --log {filter}: {error}; logging at info");
        EnvFilter::new("info")
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(has_colours());
    let log = log.with_writer(std::io::stderr);
    if cli.log_json { log.json().init() } else { log.with_target(false).init() }
}

/// Whether the log is coloured: for people at a terminal, and not for who asks for plain text (no-color.org).
fn has_colours() -> bool {
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !is_plain
}
