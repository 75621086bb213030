//! Clocks and figures of the process.

/// CPU time of this thread in nanoseconds: on a shared machine, wall time measures the neighbours too.
pub fn cpu() -> f64 {
    cpu_time::ThreadTime::now().as_duration().as_secs_f64() * 1e9
}

/// A number of the status of this process, in MB: `VmRSS`, `VmHWM`.
pub fn resident(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = ((values.len() - 1) as f64 * share) as usize;
    values[at]
}

/// Wall time, for single events: the CPU clock of a thread is too coarse and too slow to read for these.
pub struct Watch(std::time::Instant);

impl Watch {
    pub fn start() -> Self {
        Watch(std::time::Instant::now())
    }

    pub fn microseconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1e6
    }
}
