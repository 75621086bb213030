//! Which kind of trouble a signal tells of, by its words: faults travel from a dependency to its users, starvation the other way.

use std::collections::BTreeMap;

/// The kind of trouble that an alert or report tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Trouble {
    /// Errors, slowness, unavailability, and all that no word tells. It travels from a dependency to those who use it.
    #[default]
    Failing,
    /// No requests, no traffic, no operations. It travels from a caller to those that it no longer calls: victims, not culprits.
    Starved,
}

impl Trouble {
    pub fn name(self) -> &'static str {
        match self {
            Trouble::Failing => "failing",
            Trouble::Starved => "starved",
        }
    }

    pub fn parse(name: &str) -> Option<Trouble> {
        [Trouble::Failing, Trouble::Starved].into_iter().find(|trouble| trouble.name() == name)
    }
}

/// What is counted when work arrives.
const WORK: &[&str] = &[
    "request",
    "requests",
    "traffic",
    "operation",
    "operations",
    "ops",
    "throughput",
    "qps",
    "rps",
    "tps",
    "call",
    "calls",
    "query",
    "queries",
    "load",
    "invocations",
    "transactions",
    "messages",
    "visits",
];
/// What says that none arrives, before the work: `no requests`, `low request rate`.
const NONE: &[&str] = &["no", "zero", "low", "lower", "missing", "absent", "without", "few", "fewer", "less"];
/// Of these, the ones that say so across one more word. `low memory requests` are about something else.
const NONE_OF_ONE: &[&str] = &["no", "zero", "missing", "without"];
/// The same after it: `traffic dropped`, `request rate drop`. `requests dropped` are failures, so they need the word `rate` or `traffic`.
const LESS: &[&str] =
    &["low", "zero", "drop", "drops", "dropped", "fell", "falls", "fall", "falling", "decrease", "decreased", "absent", "missing", "gone"];
/// What may stand between them.
const BETWEEN: &[&str] = &[
    "rate", "volume", "count", "incoming", "inbound", "received", "http", "grpc", "is", "are", "has", "too", "total", "overall", "average",
    "avg", "current", "per", "second", "minute",
];
/// Words behind any work that say that too little of it arrives: `RPS below threshold`, `requests below expected`.
const BELOW: &[&str] = &["below", "less", "fewer"];
/// Words by which what is below is no work: a share of it, or what a container asks for.
const SHARE: &[&str] = &[
    "ratio",
    "percentage",
    "apdex",
    "score",
    "availability",
    "available",
    "healthy",
    "health",
    "quality",
    "hit",
    "memory",
    "cpu",
    "gpu",
    "storage",
    "disk",
    "resource",
    "resources",
];
/// What is idle without being starved, and words that deny it: `too many idle connections`, `CPU idle low`.
const NOT_IDLE: &[&str] = &[
    "cpu",
    "cpus",
    "core",
    "cores",
    "processor",
    "gpu",
    "memory",
    "disk",
    "connection",
    "connections",
    "session",
    "sessions",
    "transaction",
    "transactions",
    "pool",
    "thread",
    "threads",
    "many",
    "no",
    "not",
    "low",
    "zero",
    "0",
    "few",
    "timeout",
];
/// What may follow `idle` if it is the state of a component: `idle for 10m`.
const IDLE_SINCE: &[&str] = &["for", "since", "too", "longer"];
/// Words that speak of failing work in spite of these: `low success rate of requests`, `no successful requests`.
const FAILING: &[&str] =
    &["success", "successful", "succeeded", "error", "errors", "failed", "failing", "failure", "failures", "latency", "limit"];
const WORK_ZH: &[&str] = &["请求", "流量", "吞吐", "调用", "访问量", "业务量", "交易量", "单量", "QPS", "qps", "TPS", "tps", "RPS", "rps"];
const NONE_ZH: &[&str] = &["无", "没有", "零"];
const LESS_ZH: &[&str] =
    &["下降", "骤降", "下跌", "跌零", "跌至", "降为零", "为零", "为0", "为 0", "归零", "过低", "偏低", "突降", "中断流入"];

const BELOW_ZH: &[&str] = &["低于", "小于", "少于"];
/// As for shares, and what a disk does.
const SHARE_ZH: &[&str] = &["磁盘", "可用性", "命中", "占比"];
/// What may stand between: `没有入站流量`.
const BETWEEN_ZH: &[&str] = &["入站", "入口", "外部", "任何", "新", "用户", "业务"];
/// As for `idle`.
const NOT_IDLE_ZH: &[&str] = &["CPU", "cpu", "内存", "磁盘", "连接", "会话", "事务", "线程", "无", "没有", "低", "不"];

/// Phrases of `topology/sources.yaml` with the kind that they tell, before the built-in words.
pub type Phrases = BTreeMap<String, Trouble>;

/// The kind that a name or a sentence tells of; `None` if no word does. A phrase of the user matches as whole words, in any case.
pub fn trouble_of(text: &str, phrases: &Phrases) -> Option<Trouble> {
    let words = words(text);
    if let Some(trouble) = of_user(&words, phrases) {
        return Some(trouble);
    }
    if words.iter().any(|word| FAILING.contains(&word.as_str()))
        || ["失败", "错误", "成功率", "延迟", "超时"].iter().any(|w| text.contains(w))
    {
        return Some(Trouble::Failing);
    }
    (starved(&words) || idle(&words) || starved_zh(text) || idle_zh(text)).then_some(Trouble::Starved)
}

fn of_user(words: &[String], phrases: &Phrases) -> Option<Trouble> {
    // Asked for every alert, and most projects have none.
    if phrases.is_empty() {
        return None;
    }
    let spaced = format!(" {} ", words.join(" "));
    let found = phrases.iter().find(|(phrase, _)| {
        let wanted = self::words(phrase).join(" ");
        !wanted.is_empty() && if wanted.is_ascii() { spaced.contains(&format!(" {wanted} ")) } else { spaced.contains(&wanted) }
    });
    found.map(|(_, trouble)| *trouble)
}

/// The kind that a PromQL query tells of: work that stays below a bound, or is absent, is starvation. A share of it, or some outcomes of
/// it, is not: `rate(requests{code="200"}[5m]) / rate(requests[5m]) < 0.99` tells of failures.
pub fn trouble_of_query(query: &str) -> Option<Trouble> {
    let mut plain = String::new();
    let mut labels = String::new();
    let mut depth = 0_u32;
    for c in query.chars() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => labels.push(c),
            _ => plain.push(c),
        }
    }
    let names = |text: &str| words(&text.replace(['=', '"', '~', ','], " "));
    let outcome = |word: &String| FAILING.contains(&word.as_str()) || matches!(word.as_str(), "code" | "status" | "outcome" | "result");
    let some = plain.contains('/') || words(&plain).iter().chain(&names(&labels)).any(outcome);
    let below = plain.contains('<') || plain.contains("absent") || plain.trim_end().ends_with("== 0");
    let work = words(&plain).iter().any(|word| WORK.contains(&word.as_str()) && word != "load");
    (below && work && !some).then_some(Trouble::Starved)
}

fn starved(words: &[String]) -> bool {
    let is = |list: &[&str], word: &String| list.contains(&word.as_str());
    words.iter().enumerate().filter(|(_, word)| is(WORK, word)).any(|(at, work)| {
        let mut ahead = words.iter().take(at).rev().filter(|word| !is(BETWEEN, word));
        // One word may say whose work it is: `no mail traffic`.
        let before = ahead.next().is_some_and(|word| is(NONE, word) || ahead.next().is_some_and(|word| is(NONE_OF_ONE, word)));
        let after: Vec<&String> = words.iter().skip(at + 1).collect();
        let rated = after.first().is_some_and(|word| matches!(word.as_str(), "rate" | "volume" | "count"));
        let flows = rated || !matches!(work.as_str(), "request" | "requests" | "call" | "calls" | "messages" | "query" | "queries");
        let next = after.iter().find(|word| !is(BETWEEN, word));
        let follows = |list: &[&str]| next.is_some_and(|word| is(list, word));
        let below = follows(BELOW) && !words.iter().any(|word| is(SHARE, word));
        before || below || (flows && follows(LESS))
    })
}

/// Whether a component has nothing to do.
fn idle(words: &[String]) -> bool {
    let is = |list: &[&str], word: &String| list.contains(&word.as_str());
    let said = |at: usize| words.get(at + 1).is_none_or(|next| is(IDLE_SINCE, next));
    words.iter().enumerate().any(|(at, word)| word == "idle" && said(at)) && !words.iter().any(|word| is(NOT_IDLE, word))
}

fn idle_zh(text: &str) -> bool {
    let said = text.trim_end().ends_with("空闲") || ["处于空闲", "空闲状态", "空闲中"].iter().any(|state| text.contains(state));
    said && !NOT_IDLE_ZH.iter().any(|word| text.contains(word))
}

fn starved_zh(text: &str) -> bool {
    WORK_ZH.iter().any(|work| {
        text.match_indices(work).any(|(at, found)| {
            let before = text.get(..at).unwrap_or("").trim_end();
            let before = BETWEEN_ZH.iter().find_map(|word| before.strip_suffix(word)).unwrap_or(before);
            let after = text.get(at + found.len()..).unwrap_or("").trim_start_matches(['量', '数', ' ']);
            let starts = |list: &[&str]| list.iter().any(|word| after.starts_with(word));
            let below = || starts(BELOW_ZH) && !SHARE_ZH.iter().any(|word| text.contains(word));
            NONE_ZH.iter().any(|none| before.ends_with(none)) || starts(LESS_ZH) || below()
        })
    })
}

/// Lowercase words; `NoRequestsReceived` and `no_requests_received` are three. Chinese stays in one piece.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut previous = ' ';
    for c in text.chars() {
        let starts = c.is_uppercase() && (previous.is_lowercase() || previous.is_ascii_digit());
        if (!c.is_alphanumeric() || starts) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        previous = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{Phrases, Trouble, trouble_of, trouble_of_query};

    #[test]
    fn words_tell_the_kind() {
        let starved = [
            "NoRequestsReceived",
            "no_traffic",
            "No operations received by cart",
            "ZeroTraffic",
            "LowRequestRate",
            "TrafficDrop",
            "request rate dropped",
            "ThroughputLow",
            "QpsFell",
            "no incoming requests",
            "NoMailTraffic",
            "ZeroCheckoutRequests",
            "RequestRateTooLow",
            "IstioLowTotalRequestRate",
            "RPS below threshold",
            "traffic is below the expected level",
            "RequestsBelowExpected",
            "queries per second below 5",
            "throughput too low",
            "TooFewRequests",
            "less traffic than usual",
            "NoInboundTraffic",
            "Idle",
            "service is idle",
            "KafkaConsumerIdle for 10m",
            "无业务量",
            "业务量低于阈值",
            "没有入站流量",
            "QPS 低于阈值",
            "服务空闲",
            "节点处于空闲状态",
            "无请求",
            "流量骤降",
            "请求量下降",
            "没有流量",
            "支付 QPS 跌零",
            "交易量下跌",
        ];
        let not = [
            "HighErrorRate",
            "requests dropped",
            "DroppedRequests",
            "HighLatency",
            "KubePodCrashLooping",
            "LowSuccessRate of requests",
            "NoSuccessfulRequests",
            "TrafficHigh",
            "LowDiskSpace",
            "NoFreeConnections",
            "请求失败率上升",
            "请求超时",
            "流量突增",
            "High request load",
            "Low memory",
            "no capacity left for requests",
            "LowMemoryRequests",
            "ErrorRateDropped",
            "success rate of requests below threshold",
            "request availability below 99%",
            "Apdex of requests below 0.8",
            "available memory below 10%",
            "memory requests below usage",
            "cache hit ratio of queries below 90%",
            "too many idle connections",
            "idle in transaction",
            "CPU idle below 10%",
            "requests under heavy load",
            "disk throughput below baseline",
            "CpuIdle",
            "no worker is idle",
            "IdleTimeout",
            "请求成功率低于阈值",
            "可用内存低于阈值",
            "磁盘吞吐低于基线",
            "CPU 空闲",
            "没有工作进程空闲",
        ];
        for text in starved {
            assert_eq!(trouble_of(text, &Phrases::new()), Some(Trouble::Starved), "{text}");
        }
        for text in not {
            assert_ne!(trouble_of(text, &Phrases::new()), Some(Trouble::Starved), "{text}");
        }
    }

    #[test]
    fn queries_tell_the_kind() {
        let starved = [
            "sum by (app) (rate(http_requests_total[5m])) < 1",
            "rate(istio_requests_total{destination_app=\"cart\"}[5m]) == 0",
            "absent(grpc_server_handled_calls{app=\"cart\"})",
        ];
        let not = [
            "up == 0",
            "rate(http_requests_total{code=~\"5..\"}[5m]) > 1",
            "sum(rate(http_requests_total{code=\"200\"}[5m])) < 1",
            "rate(http_requests_success_total[5m]) / rate(http_requests_total[5m]) < 0.99",
            "rate(http_requests_total[5m]) > 100",
            "node_load1 < 0",
            "kube_pod_container_resource_requests > 3",
        ];
        for query in starved {
            assert_eq!(trouble_of_query(query), Some(Trouble::Starved), "{query}");
        }
        for query in not {
            assert_eq!(trouble_of_query(query), None, "{query}");
        }
    }

    #[test]
    fn phrases_of_the_user_come_first() {
        let phrases = Phrases::from([("no bookings".to_owned(), Trouble::Starved), ("low traffic".to_owned(), Trouble::Failing)]);
        assert_eq!(trouble_of("NoBookings for an hour", &phrases), Some(Trouble::Starved));
        assert_eq!(trouble_of("LowTraffic", &phrases), Some(Trouble::Failing));
        assert_eq!(trouble_of("NoBookingsystem", &phrases), None);
    }
}
