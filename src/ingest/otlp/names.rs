//! Names of metrics and labels as Prometheus translates those of OpenTelemetry, so that one mapping holds whichever way a metric comes.

/// Units of UCUM and the words for them.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
    ("1", ""),
];

/// The same behind a slash.
const PER: &[(&str, &str)] =
    &[("s", "second"), ("m", "minute"), ("min", "minute"), ("h", "hour"), ("d", "day"), ("w", "week"), ("mo", "month"), ("y", "year")];

/// What a metric is, as far as its name shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Gauge,
    /// A sum that only grows.
    Counter,
    Other,
}

/// `http.server.duration` in `ms` is `http_server_duration_milliseconds`.
pub(super) fn metric_name(name: &str, unit: &str, sort: Sort) -> String {
    let mut words: Vec<String> = words(name);
    let (main, per) = unit.split_once('/').map_or((unit, None), |(main, per)| (main, Some(per)));
    let has = |words: &[String], word: &str| words.iter().any(|known| known == word);
    let main = unit_word(main, UNITS);
    if !main.is_empty() && !has(&words, &main) {
        words.push(main);
    }
    let per = per.map(|per| unit_word(per, PER)).filter(|per| !per.is_empty());
    if let Some(per) = per.filter(|per| !has(&words, per)) {
        if !has(&words, "per") {
            words.push("per".to_owned());
        }
        words.push(per);
    }
    let last = match sort {
        Sort::Counter => Some("total"),
        Sort::Gauge if unit.trim() == "1" => Some("ratio"),
        Sort::Gauge | Sort::Other => None,
    };
    if let Some(last) = last {
        words.retain(|word| word != last);
        words.push(last.to_owned());
    }
    let joined = words.join("_");
    if joined.starts_with(|c: char| c.is_ascii_digit()) { format!("_{joined}") } else { joined }
}

/// What Prometheus makes of the name of an attribute: `k8s.pod.name` is `k8s_pod_name`.
pub(super) fn label_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) { format!("key_{plain}") } else { plain }
}

/// Letters and digits of any script; the rest separates words.
fn words(name: &str) -> Vec<String> {
    name.split(|c: char| !c.is_alphanumeric() && c != ':').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What is in braces says of what something is, and is no unit: `{request}`.
fn unit_word(unit: &str, known: &[(&str, &str)]) -> String {
    let unit = unit.trim();
    if unit.contains(['{', '}']) {
        return String::new();
    }
    let word = known.iter().find(|(short, _)| *short == unit).map(|(_, word)| (*word).to_owned());
    word.unwrap_or_else(|| words(unit).join("_"))
}

#[cfg(test)]
mod tests {
    use super::{Sort, label_name, metric_name};

    #[test]
    fn names_are_those_of_prometheus() {
        for (name, unit, sort, expected) in [
            ("http.server.request.duration", "s", Sort::Other, "http_server_request_duration_seconds"),
            ("http.server.active_requests", "{request}", Sort::Other, "http_server_active_requests"),
            ("system.network.io", "By", Sort::Counter, "system_network_io_bytes_total"),
            ("system.cpu.utilization", "1", Sort::Gauge, "system_cpu_utilization_ratio"),
            ("system.disk.speed", "MiBy/s", Sort::Gauge, "system_disk_speed_mebibytes_per_second"),
            ("requests.total", "1", Sort::Counter, "requests_total"),
            ("request.duration.seconds", "s", Sort::Gauge, "request_duration_seconds"),
            ("2xx", "", Sort::Gauge, "_2xx"),
            ("load", "%", Sort::Gauge, "load_percent"),
            ("queue", "messages", Sort::Gauge, "queue_messages"),
        ] {
            assert_eq!(metric_name(name, unit, sort), expected, "{name} {unit}");
        }
    }

    #[test]
    fn labels_are_those_of_prometheus() {
        for (name, expected) in [("k8s.pod.name", "k8s_pod_name"), ("host", "host"), ("9p", "key_9p"), ("a/b-c", "a_b_c")] {
            assert_eq!(label_name(name), expected);
        }
    }
}
