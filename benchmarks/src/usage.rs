//! What processes used, as `/proc` tells.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// How often the times of PostgreSQL are read again when one of its processes ended meanwhile.
const MAX_READINGS: usize = 100;

/// CPU time since the start of this process, its threads included, its children not.
pub(crate) fn cpu_of(pid: u32) -> Result<Duration> {
    Ok(ticks(Times::read(pid)?.own))
}

/// CPU time of all commands that this program has run and waited for, to the end of each.
pub(crate) fn cpu_of_ended_commands() -> Result<Duration> {
    Ok(ticks(Times::read(std::process::id())?.reaped))
}

/// CPU time of PostgreSQL: the postmaster, its children, and those that have ended.
pub(crate) fn cpu_of_postgres(postmaster: u32) -> Result<Duration> {
    for _ in 0..MAX_READINGS {
        let before = Times::read(postmaster)?;
        let children: u64 = all_pids()?
            .into_iter()
            // What ended meanwhile is in the postmaster's sum, or makes the reading void.
            .filter_map(|pid| Times::read(pid).ok())
            .filter(|times| times.parent == postmaster)
            .map(|times| times.own)
            .sum();
        let after = Times::read(postmaster)?;
        if before.reaped == after.reaped {
            return Ok(ticks(after.own + after.reaped + children));
        }
    }
    anyhow::bail!("PostgreSQL starts and ends processes faster than they can be counted")
}

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/status");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let kib = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok()
        };
        let resident = kib("VmRSS").with_context(|| format!("{path} has no VmRSS"))?;
        let peak = kib("VmHWM").with_context(|| format!("{path} has no VmHWM"))?;
        Ok(Self { resident: resident * 1024, peak: peak * 1024 })
    }

    /// Makes what is resident now the most that ever was.
    pub(crate) fn forget_peak(pid: u32) -> Result<()> {
        let path = format!("/proc/{pid}/clear_refs");
        // See proc(5): 5 resets the peak.
        fs::write(&path, "5").with_context(|| format!("cannot reset the peak of memory through {path}"))
    }
}

/// CPU time of all that a benchmark looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTimes {
    /// Of all servers together.
    pub(crate) server: Duration,
    pub(crate) postgres: Duration,
    pub(crate) load: Duration,
}

impl CpuTimes {
    pub(crate) fn now(servers: impl IntoIterator<Item = u32>, postmaster: u32) -> Result<Self> {
        Ok(Self {
            server: servers.into_iter().map(cpu_of).sum::<Result<Duration>>()?,
            postgres: cpu_of_postgres(postmaster)?,
            load: cpu_of(std::process::id())?,
        })
    }
}

impl Sub for CpuTimes {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            postgres: self.postgres.saturating_sub(before.postgres),
            load: self.load.saturating_sub(before.load),
        }
    }
}

/// The fields of `/proc/PID/stat` that count, in clock ticks.
struct Times {
    parent: u32,
    own: u64,
    /// Of children that have ended.
    reaped: u64,
}

impl Times {
    fn read(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Self::parse(&text).with_context(|| format!("{path} is not as proc(5) says"))
    }

    /// See proc(5). The name, in brackets, may hold anything; the field after it is number 3.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(field(4)?).ok()?,
            own: field(14)? + field(15)?,
            reaped: field(16)? + field(17)?,
        })
    }
}

fn all_pids() -> Result<Vec<u32>> {
    let entries = fs::read_dir("/proc").context("cannot read /proc; the benchmarks need Linux")?;
    let pids: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    ensure!(!pids.is_empty(), "/proc shows no process");
    Ok(pids)
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "7 (a) 1 2 (b) S 42 7 7 0 -1 4 10 20 0 0 300 40 5 6 20 0 3 0 99";
        let times = Times::parse(stat).unwrap();
        assert_eq!((times.parent, times.own, times.reaped), (42, 340, 11));
        assert!(Times::parse("7 (x) S 1").is_none());
    }

    #[test]
    fn work_shows_in_the_times_of_the_process() {
        let before = cpu_of(std::process::id()).unwrap();
        let mut number = 1_u64;
        while cpu_of(std::process::id()).unwrap() == before {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
    }
}
