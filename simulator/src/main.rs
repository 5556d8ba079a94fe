//! `cargo run --release -p simulator -- --arenas 10000`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use simulator::arena::{self, Outcome};
use simulator::fault::Fault;
use simulator::fleet::{self, Budget, Totals};
use simulator::mutant::Mutant;
use simulator::plan::{MINUTE_MS, Plan, Size};
use simulator::shrink::shrink;

/// Runs whole arenas under seeded faults, and says whether a lead was lost.
#[derive(Parser)]
struct Args {
    /// How many arenas; one in a hundred is as large as an event (20 iPads with 100 leads each).
    #[arg(long, default_value_t = 1_000)]
    arenas: u64,
    /// The first seed; the others follow. Drawn at random, and printed, when it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs the one arena of --seed and tells its story.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// With --trace: an arena as large as an event.
    #[arg(long)]
    event: bool,
    /// With --trace: so many iPads.
    #[arg(long)]
    devices: Option<usize>,
    /// With --trace: so many leads for each.
    #[arg(long)]
    leads: Option<usize>,
    /// With --trace: so many hubs.
    #[arg(long)]
    hubs: Option<usize>,
    /// With --trace: so many minutes of chaos.
    #[arg(long)]
    minutes: Option<u64>,
    /// With --trace: only these faults, separated by commas, or `none`.
    #[arg(long)]
    faults: Option<String>,
    /// Stop after so many arenas that broke a promise. The first is made smaller and told.
    #[arg(long, default_value_t = 1)]
    failures: usize,
    /// A broken variant, which must be caught.
    #[arg(long)]
    mutant: Option<Mutant>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = if args.trace { tell(&args) } else { run_many(&args) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tell(args: &Args) -> Result<()> {
    let size = if args.event { Size::Event } else { Size::Usual };
    let mut plan = Plan::of(args.seed.unwrap_or_default(), size);
    plan.devices = args.devices.unwrap_or(plan.devices).max(1);
    plan.leads_per_device = args.leads.unwrap_or(plan.leads_per_device);
    plan.hubs = args.hubs.unwrap_or(plan.hubs);
    plan.chaos_ms = args.minutes.map_or(plan.chaos_ms, |minutes| minutes.max(1) * MINUTE_MS);
    if let Some(names) = &args.faults {
        let wanted = names.split(',').filter(|name| *name != "none").map(str::parse);
        let wanted = wanted.collect::<Result<Vec<Fault>, String>>().map_err(anyhow::Error::msg)?;
        plan.rates.retain(|fault, _| wanted.contains(fault));
    }
    let outcome = arena::run(plan, args.mutant, true);
    outcome.story.iter().for_each(|line| println!("{line}"));
    match outcome.violation {
        Some(violation) => bail!("{violation}"),
        None => Ok(()),
    }
}

fn run_many(args: &Args) -> Result<()> {
    let first_seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 48));
    println!("seeds from {first_seed}");
    let bar = ProgressBar::new(args.arenas)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} arenas  {per_sec}  {eta} left")?);
    let budget = Budget { arenas: args.arenas, time: None, max_failures: args.failures };
    let totals = fleet::run(first_seed, budget, args.mutant, &|done| bar.set_position(done));
    bar.finish_and_clear();
    print(&totals);
    match totals.failures.first() {
        None => Ok(()),
        Some(failure) => {
            for failure in &totals.failures {
                println!("\nseed {} broke {}", failure.plan.seed, describe(failure));
            }
            report(failure, args.mutant);
            bail!("{} of {} arenas broke a promise", totals.failures.len(), totals.arenas)
        }
    }
}

fn print(totals: &Totals) {
    println!("{:<24}{:>14}", "fault", "how often");
    for fault in Fault::ALL {
        println!("{:<24}{:>14}", fault.name(), HumanCount(totals.tally.of(*fault)).to_string());
    }
    let lost_or_doubled = |invariant| {
        let broken = totals.failures.iter().filter_map(|it| it.violation.as_ref());
        broken.filter(|violation| violation.invariant == invariant).count()
    };
    let seconds = totals.took.max(Duration::from_millis(1)).as_secs_f64();
    println!();
    println!("{:<24}{:>14}", "arenas", HumanCount(totals.arenas).to_string());
    println!("{:<24}{:>14}", "  as large as an event", HumanCount(totals.event_arenas).to_string());
    println!("{:<24}{:>14}", "leads saved", HumanCount(totals.leads).to_string());
    println!("{:<24}{:>14}", "entries saved", HumanCount(totals.entries).to_string());
    println!("{:<24}{:>14}", "  their iPad was wiped", HumanCount(totals.excused).to_string());
    println!("{:<24}{:>14}", "requests", HumanCount(totals.exchanges).to_string());
    println!("{:<24}{:>14}", "arenas with a loss", lost_or_doubled(1) + lost_or_doubled(2));
    println!("{:<24}{:>14}", "broken in any way", totals.failures.len());
    println!("{:<24}{:>12} min", "longest to converge", totals.longest_calm_ms / MINUTE_MS);
    println!("{:<24}{:>12.0} s", "time", seconds);
    println!("{:<24}{:>14.1}", "arenas per second", totals.arenas as f64 / seconds);
}

fn report(failure: &Outcome, mutant: Option<Mutant>) {
    println!("\nmaking seed {} smaller …", failure.plan.seed);
    let small = shrink(failure, mutant);
    println!(
        "\n{} iPad(s), {} lead(s) each, {} hub(s):\n",
        small.plan.devices, small.plan.leads_per_device, small.plan.hubs
    );
    small.story.iter().for_each(|line| println!("{line}"));
    println!("\n{}\n{}", describe(&small), small.plan.command());
}

fn describe(outcome: &Outcome) -> String {
    outcome.violation.as_ref().map_or_else(String::new, ToString::to_string)
}
