//! What kind of trouble a metric or an alert tells of. A fault mostly travels as a kind: errors cause errors, slowness causes slowness.
//! Told by the words that people and conventions name such things with; a name without any of them is of no kind, and nothing is
//! concluded from it.

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Work that fails.
    Errors,
    /// Work that takes longer.
    Slowness,
    /// Use of what work needs: it causes either.
    Resource,
    /// How much work there is.
    Work,
}

const ERRORS: &[&str] = &[
    "error",
    "errors",
    "err",
    "errs",
    "fail",
    "fails",
    "failed",
    "failing",
    "failure",
    "failures",
    "fault",
    "faults",
    "5xx",
    "500",
    "exception",
    "exceptions",
    "availability",
    "available",
    "unavailable",
    "success",
    "successful",
    "crash",
    "crashed",
    "crashlooping",
    "oom",
    "killed",
    "oomkilled",
    "restarts",
    "servfail",
    "rejected",
    "refused",
    "down",
    "panic",
    "panics",
    "unhealthy",
];
const ERRORS_ZH: &[&str] = &["错误", "失败", "异常", "可用", "成功率", "宕机", "重启"];
const SLOWNESS: &[&str] = &[
    "latency",
    "latencies",
    "duration",
    "durations",
    "delay",
    "wait",
    "waits",
    "waiting",
    "lag",
    "slow",
    "rtt",
    "elapsed",
    "p50",
    "p75",
    "p90",
    "p95",
    "p99",
    "p999",
    "timeout",
    "timeouts",
    "time",
];
const SLOWNESS_ZH: &[&str] = &["延迟", "时延", "耗时", "超时", "缓慢", "慢", "响应时间"];
const RESOURCE: &[&str] = &[
    "cpu",
    "memory",
    "mem",
    "rss",
    "heap",
    "disk",
    "gc",
    "io",
    "iops",
    "fd",
    "fds",
    "thread",
    "threads",
    "pool",
    "connections",
    "saturation",
    "throttled",
    "throttling",
    "swap",
    "inode",
    "inodes",
    "filesystem",
    "goroutines",
];
const WORK: &[&str] = &["request", "requests", "qps", "rps", "tps", "ops", "call", "calls", "throughput", "invocations", "messages"];

/// What an object is found to be, rather than what it does: it crashes, runs out of memory, is not ready.
const STATES: &[&str] = &[
    "crash",
    "crashed",
    "crashes",
    "crashing",
    "crashloop",
    "crashlooping",
    "crashloopbackoff",
    "backoff",
    "oom",
    "oomkill",
    "oomkilled",
    "killed",
    "evicted",
    "restarts",
    "restarting",
    "notready",
    "unready",
];
const STATES_ZH: &[&str] = &["崩溃", "重启", "驱逐", "未就绪", "内存溢出"];

/// Whether an alert tells of a state of its own object. Rules about states wait until they last, some for a quarter of an hour, so when
/// they fire says little about when the state began.
pub fn tells_state(text: &str) -> bool {
    let words = words(text);
    let not_ready = words.iter().zip(words.iter().skip(1)).any(|(first, next)| first == "not" && next == "ready");
    not_ready || words.iter().any(|word| STATES.contains(&word.as_str())) || STATES_ZH.iter().any(|word| text.contains(word))
}

impl Kind {
    /// Of a name or a sentence. Errors before slowness before resources before work: `request_error_time` counts errors.
    pub fn of(text: &str) -> Option<Kind> {
        let words = words(text);
        let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let any_zh = |list: &[&str]| list.iter().any(|word| text.contains(word));
        if any(ERRORS) || any_zh(ERRORS_ZH) {
            Some(Kind::Errors)
        } else if any(SLOWNESS) || any_zh(SLOWNESS_ZH) {
            Some(Kind::Slowness)
        } else if any(RESOURCE) {
            Some(Kind::Resource)
        } else if any(WORK) {
            Some(Kind::Work)
        } else {
            None
        }
    }

    /// Whether what tells of this kind can be behind a symptom of the other without a detour.
    pub fn explains(self, symptom: Kind) -> bool {
        self == symptom || matches!(self, Kind::Resource | Kind::Work) || matches!(symptom, Kind::Resource | Kind::Work)
    }
}

/// In lower case; `HighErrorRate` and `high_error_rate` are three words.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        let starts = c.is_uppercase() && before.is_lowercase();
        if (!c.is_ascii_alphanumeric() || starts) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{Kind, tells_state};

    #[test]
    fn words_tell_the_kind() {
        for (name, kind) in [
            ("error_rate_5xx_ratio", Some(Kind::Errors)),
            ("HighErrorRate", Some(Kind::Errors)),
            ("availability", Some(Kind::Errors)),
            ("支付失败率过高", Some(Kind::Errors)),
            ("http_server_duration_p99_ms", Some(Kind::Slowness)),
            ("HighLatency", Some(Kind::Slowness)),
            ("cpu_usage_percent", Some(Kind::Resource)),
            ("qps", Some(Kind::Work)),
            ("db_rows_examined", None),
            ("n00ff", None),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
        for name in ["KubePodCrashLooping", "KubeNodeNotReady", "OOMKilled", "容器重启"] {
            assert!(tells_state(name), "{name}");
        }
        for name in ["HighErrorRate", "ReadyReplicasLow", "DbDown", "接口超时"] {
            assert!(!tells_state(name), "{name}");
        }
        assert!(Kind::Resource.explains(Kind::Errors) && !Kind::Slowness.explains(Kind::Errors));
    }
}
