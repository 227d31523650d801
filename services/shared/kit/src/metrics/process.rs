//! What the process takes of its machine: of `/proc/self`, where there is one.

use std::{fs, sync::Once};

use super::{PROCESS_CPU, PROCESS_MEMORY, PROCESS_OPEN_FILES, PROCESS_START, PROCESS_TASKS};

/// The kernel's clock tick on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: f64 = 4096.0;
static WATCHED: Once = Once::new();

/// Begins to tell; once in a process, inside its runtime.
pub fn watch() {
    WATCHED.call_once(|| {
        PROCESS_CPU.by(|seen| {
            if let Some(seconds) = cpu() {
                seen.is(seconds, []);
            }
        });
        PROCESS_MEMORY.by(|seen| {
            if let Some(bytes) = memory() {
                seen.is(bytes, []);
            }
        });
        PROCESS_OPEN_FILES.by(|seen| {
            if let Ok(files) = fs::read_dir("/proc/self/fd") {
                seen.is(f64::from(u32::try_from(files.count()).unwrap_or(u32::MAX)), []);
            }
        });
        let runtime = tokio::runtime::Handle::try_current().ok();
        PROCESS_TASKS.by(move |seen| {
            if let Some(runtime) = &runtime {
                let tasks = runtime.metrics().num_alive_tasks();
                seen.is(f64::from(u32::try_from(tasks).unwrap_or(u32::MAX)), []);
            }
        });
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let started = started.map(|since| since.as_secs_f64()).unwrap_or_default();
        PROCESS_START.by(move |seen| seen.is(started, []));
    });
}

/// Seconds, of user and system.
fn cpu() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn memory() -> Option<f64> {
    let pages: f64 = fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}
