//! The two commands of the README, and the developers' chores. `cargo xtask --help` teaches them.

mod bench;
mod child;
mod openapi;
mod postgres;
mod pwa;
mod server;
mod setup;
mod steps;
mod test;
mod up;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use steps::Steps;
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds, runs and checks Leadlog", after_help = EXAMPLES)]
struct Cli {
    /// Show everything that the tools print, not only their last line
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Task,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask up                               everything from nothing to a URL and a QR code
  cargo xtask up --listen 0.0.0.0:8080         what follows goes to `leadlog serve`
  cargo xtask test                             what CI runs
  cargo xtask test --only fmt,clippy,rust      some of its stages
  cargo xtask test --only office               whether the exports open right in LibreOffice
  cargo xtask postgres cargo test --release -p event-store
  cargo xtask bench intake
  cargo xtask bench client --quick";

#[derive(Subcommand)]
enum Task {
    /// Check the tools, build the device library, the app and the server, and run `leadlog serve`
    #[command(disable_help_flag = true)]
    Up {
        /// Passed on to `leadlog serve`; `cargo xtask up --help` shows what it takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        serve_args: Vec<String>,
    },
    /// Run every check and every test, and end with a line of counts
    Test(test::Options),
    /// Build the device library into client-wasm/pkg
    Wasm,
    /// Build the app into pwa/dist, from client-wasm/pkg
    Pwa,
    /// Write openapi/leadlog.json from the code
    Openapi,
    /// Measure the released program and the app against the machine; without a name, list the benchmarks
    Bench {
        /// Which benchmark
        name: Option<String>,
        /// Passed on to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run a command with LEADLOG_TEST_DATABASE_URL set to a private PostgreSQL that ends with it
    Postgres {
        /// The command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let steps = Steps::new(cli.verbose);
    match &cli.command {
        Task::Up { serve_args } => return up::run(&workspace, &steps, serve_args),
        Task::Test(options) => return test::run(&workspace, options),
        Task::Wasm => {
            pwa::install(&workspace, &steps)?;
            wasm::build(&workspace, &steps)?;
        }
        Task::Pwa => {
            pwa::install(&workspace, &steps)?;
            pwa::build(&workspace, &steps)?;
        }
        Task::Openapi => openapi::write(&workspace, &steps)?,
        Task::Bench { name, args } => return bench::run(&workspace, &steps, name.as_deref(), args),
        Task::Postgres { command } => return postgres::run(&workspace, &steps, command),
    }
    Ok(ExitCode::SUCCESS)
}
