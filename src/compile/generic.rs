//! Texts that most incidents contain.

/// Words that tell of trouble, or of what may be in trouble, but not of which.
const COMMON: &[&str] = &[
    "abnormal",
    "alarm",
    "alert",
    "anomaly",
    "app",
    "application",
    "backend",
    "bad",
    "call",
    "client",
    "connection",
    "cpu",
    "crash",
    "crashed",
    "critical",
    "degraded",
    "delay",
    "disk",
    "down",
    "error",
    "exceeded",
    "exception",
    "fail",
    "failed",
    "failing",
    "failure",
    "fatal",
    "fault",
    "high",
    "host",
    "http",
    "incident",
    "instance",
    "issue",
    "latency",
    "load",
    "low",
    "memory",
    "network",
    "node",
    "offline",
    "out",
    "outage",
    "panic",
    "pod",
    "problem",
    "process",
    "rate",
    "refused",
    "request",
    "response",
    "restart",
    "restarted",
    "restarting",
    "retry",
    "server",
    "service",
    "slow",
    "stopped",
    "system",
    "time",
    "timed",
    "timeout",
    "traffic",
    "unavailable",
    "unhealthy",
    "unknown",
    "unreachable",
    "usage",
    "warn",
    "warning",
];

/// The same in Chinese, where no spaces separate them.
const COMMON_HAN: &[&str] = &[
    "不可用",
    "不可达",
    "业务",
    "中断",
    "主机",
    "事件",
    "使用率",
    "健康检查",
    "内存",
    "出错",
    "升高",
    "卡顿",
    "变慢",
    "响应",
    "响应时间",
    "告警",
    "失败",
    "宕机",
    "实例",
    "应用",
    "延时",
    "延迟",
    "异常",
    "很慢",
    "慢",
    "报警",
    "报错",
    "拒绝",
    "接口",
    "故障",
    "无响应",
    "服务",
    "服务器",
    "用户",
    "磁盘",
    "系统",
    "网络",
    "节点",
    "访问",
    "请求",
    "调用",
    "负载",
    "超时",
    "过低",
    "过高",
    "连接",
    "重启",
    "错误",
    "错误率",
    "问题",
    "降低",
    "高",
];

/// Two common words together are still common; three often name one thing: `connection pool timeout` does, but `pool` is not common.
const MAX_WORDS: usize = 2;
/// A longer text, in characters, is never two of these words.
const MAX_CHARS: usize = 40;

/// Whether a text is one or two common words, like `timeout`, `HighLatency` or `服务异常`, or has no word: it fits most incidents.
pub fn is_generic(text: &str) -> bool {
    let chars: Vec<char> = text.chars().take(MAX_CHARS + 1).collect();
    if chars.len() > MAX_CHARS {
        return false;
    }
    let counts: Option<Vec<usize>> = words(&chars).iter().map(|word| common(word)).collect();
    counts.is_some_and(|counts| counts.iter().sum::<usize>() <= MAX_WORDS)
}

/// Words in lower case. A capital begins one, and so does the change between Chinese and other letters.
fn words(chars: &[char]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, c) in chars.iter().enumerate() {
        let after_small = |before: char| before.is_lowercase() || chars.get(at + 1).is_some_and(|after| after.is_lowercase());
        let begins = at
            .checked_sub(1)
            .and_then(|at| chars.get(at))
            .is_none_or(|before| !before.is_alphanumeric() || is_han(*before) != is_han(*c) || (c.is_uppercase() && after_small(*before)));
        if begins && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// How many common words it is; `None` if a part of it is none.
fn common(word: &str) -> Option<usize> {
    if !word.starts_with(is_han) {
        let known = |word: &str| COMMON.contains(&word);
        let is = known(word) || word.strip_suffix('s').is_some_and(known) || word.chars().all(char::is_numeric);
        return is.then_some(1);
    }
    let (mut rest, mut count) = (word, 0);
    while !rest.is_empty() {
        let longest = COMMON_HAN.iter().filter(|known| rest.starts_with(**known)).max_by_key(|known| known.len())?;
        rest = rest.strip_prefix(*longest)?;
        count += 1;
    }
    Some(count)
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

#[cfg(test)]
mod tests {
    use super::is_generic;

    #[test]
    fn common_words_and_others() {
        for text in ["timeout", "Errors", "HighLatency", "high CPU", "HTTP 500", "超时", "服务异常", "CPU过高", "", "…"] {
            assert!(is_generic(text), "{text}");
        }
        for text in
            ["connection pool timeout", "KubeletDown", "PgDown", "支付服务调用超时", "OOMKilled", "service request error", "用户中心超时"]
        {
            assert!(!is_generic(text), "{text}");
        }
    }
}
