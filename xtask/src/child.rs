//! Running a tool: its output goes to the screen, or is kept and shown when it fails.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How often [`run`] reports while a tool works.
const TICK: Duration = Duration::from_millis(200);

/// A tool that ended, and all that it printed.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
}

impl Ended {
    /// The output, or an error that shows it.
    pub(crate) fn success(self, name: &str) -> Result<String> {
        if self.status.success() {
            return Ok(self.text);
        }
        bail!("{name} failed ({})\n{}", self.status, self.text.trim_end())
    }
}

/// Runs a tool to its end. With `echo` its output goes to the screen as well; without, `progress` gets its
/// last line again and again.
pub(crate) fn run(command: &mut Command, echo: bool, mut progress: impl FnMut(&str)) -> Result<Ended> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let text = Arc::new(Mutex::new(String::new()));
    let readers: Vec<JoinHandle<()>> = [
        child.stdout.take().map(|pipe| collect(pipe, echo.then_some(io::stdout()), &text)),
        child.stderr.take().map(|pipe| collect(pipe, echo.then_some(io::stderr()), &text)),
    ]
    .into_iter()
    .flatten()
    .collect();
    while !readers.iter().all(JoinHandle::is_finished) {
        if !echo {
            progress(last_line(&text.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        thread::sleep(TICK);
    }
    let status = child.wait()?;
    let text = std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Ended { status, text })
}

fn collect(
    pipe: impl Read + Send + 'static,
    mut echo: Option<impl Write + Send + 'static>,
    text: &Arc<Mutex<String>>,
) -> JoinHandle<()> {
    let text = Arc::clone(text);
    thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            if let Some(screen) = &mut echo {
                // A closed screen does not end the work.
                let _ = screen.write_all(&line);
            }
            text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

fn last_line(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}
