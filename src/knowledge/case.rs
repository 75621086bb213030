//! One past incident, as read from `cases/HIS-yyyymmdd/case.yaml`.

use serde::Serialize;

use diag::{Code, Diagnostic, Place, SourceId, Sources, suggestion, text};
use value::Time;
use value::fields::{Fields, Reader, Word, items, listed};
use value::yaml::{self, Node, Value};

/// A past incident with its symptoms, root cause and solution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Case {
    pub id: String,
    pub title: String,
    /// When it happened; a day without a time is its midnight, UTC.
    pub date: Option<Time>,
    /// Absent if it was never found: such a case can be shown as similar, but cannot propose a suspect.
    pub root: Option<Root>,
    /// Names or texts of the alerts that fired.
    pub alerts: Vec<String>,
    /// Log lines, or the characteristic parts of them.
    pub logs: Vec<String>,
    pub metrics: Vec<CaseMetric>,
    /// Components or their types, one entry for each that was affected: two services are `[service, service]`.
    pub affected: Vec<String>,
    pub solutions: Vec<String>,
    /// The rule that was written for this case.
    pub rule: Option<String>,
    pub notes: Option<String>,
}

/// What broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Root {
    pub component: Option<String>,
    /// The type of the component; `type` in the file.
    pub kind: Option<String>,
    pub fault: String,
}

/// A metric that left its usual range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseMetric {
    /// The type of the component that has the metric; `type` in the file.
    pub kind: String,
    pub metric: String,
    /// Above its usual range, not below; `change: high` or `low` in the file.
    pub high: bool,
}

/// What a case names and says, each with its place, for whoever knows the estate and the rules to check it.
#[derive(Debug, Clone)]
pub struct Mentions {
    /// Its `id`.
    pub id: Place,
    /// Component and type of the root cause.
    pub component: Option<Word>,
    pub kind: Option<Word>,
    /// Alerts and log lines.
    pub texts: Vec<Word>,
    /// Type and metric.
    pub metrics: Vec<(Word, Word)>,
    pub affected: Vec<Word>,
    pub rule: Option<Word>,
}

/// Words of a root cause that was a change.
const CHANGED: &[&str] = &[
    "deploy",
    "release",
    "rollout",
    "roll-out",
    "upgrade",
    "config change",
    "configuration change",
    "migration",
    "new version",
    "发布",
    "上线",
    "变更",
    "部署",
    "升级",
    "新版本",
    "改配置",
];
/// Words of a solution that undoes a change.
const UNDONE: &[&str] = &["roll back", "rollback", "roll-back", "rolled back", "revert", "回滚", "回退"];

impl Case {
    /// Whether a change was the cause, by the words of its root cause and its solutions: such a case is proposed only where there was
    /// a change.
    pub fn is_by_change(&self) -> bool {
        let says = |text: &str, words: &[&str]| {
            let text = text.to_lowercase();
            words.iter().any(|word| text.contains(word))
        };
        self.root.as_ref().is_some_and(|root| says(&root.fault, CHANGED)) || self.solutions.iter().any(|solution| says(solution, UNDONE))
    }
}

const CASE: &[&str] = &["id", "title", "date", "root_cause", "symptoms", "affected", "solutions", "rule", "notes"];
const ROOT: &[&str] = &["component", "type", "fault"];
const SYMPTOMS: &[&str] = &["alerts", "logs", "metrics"];
const METRIC: &[&str] = &["type", "metric", "change"];
const CHANGES: &[&str] = &["high", "low"];

/// Reads a `case.yaml` and reports all errors in one run. The case is usable if its id, its title, and the fault of its root cause
/// (if it has one) could be read. An error elsewhere affects only the part it is in.
///
/// A case without any `root_cause` is used, with a warning: its solutions may still help.
pub fn read_case(sources: &Sources, source: SourceId) -> (Option<(Case, Mentions)>, Vec<Diagnostic>) {
    let node = match yaml::parse(sources, source) {
        Ok(node) => node,
        Err(diagnostic) => return (None, vec![*diagnostic]),
    };
    if !matches!(node.value, Value::Map(_)) {
        let message = text!("a case must be a map, not {}", node.kind());
        let diagnostic = Diagnostic::error(Code::CASE_FILE, node.place, message).help(text!("a case has {}", listed(CASE)));
        return (None, vec![diagnostic]);
    }
    let mut reader = Reader::new(sources);
    let case = read(&mut reader, &node);
    (case, reader.diagnostics)
}

fn read(reader: &mut Reader<'_>, node: &Node) -> Option<(Case, Mentions)> {
    let fields = reader.fields(node, "a case", CASE)?;
    // Everything is read before a missing part ends the reading, so that one run reports every error.
    let id = reader.needed(&fields, "id");
    let title = reader.needed(&fields, "title");
    let date = date(reader, &fields);
    let root = root(reader, &fields);
    let (alerts, logs, metrics) = symptoms(reader, &fields);
    let affected = all_placed(reader, &fields, "affected");
    let solutions = reader.texts_of(&fields, "solutions");
    let rule = placed(reader, &fields, "rule");
    let notes = reader.optional(&fields, "notes");
    let root = root.ok()?;
    let text = |word: &Word| word.text.clone();
    let texts = |words: &[Word]| words.iter().map(text).collect();
    let case = Case {
        id: id?,
        title: title?,
        date,
        root: root.as_ref().map(|root| Root {
            component: root.component.as_ref().map(text),
            kind: root.kind.as_ref().map(text),
            fault: root.fault.clone(),
        }),
        alerts: texts(&alerts),
        logs: texts(&logs),
        metrics: metrics.iter().map(|(kind, metric, high)| CaseMetric { kind: text(kind), metric: text(metric), high: *high }).collect(),
        affected: texts(&affected),
        solutions,
        rule: rule.as_ref().map(text),
        notes,
    };
    let (component, kind) = root.map_or((None, None), |root| (root.component, root.kind));
    let mentions = Mentions {
        id: fields.get("id").map_or(fields.place, |node| node.place),
        component,
        kind,
        texts: alerts.into_iter().chain(logs).collect(),
        metrics: metrics.into_iter().map(|(kind, metric, _)| (kind, metric)).collect(),
        affected,
        rule,
    };
    Some((case, mentions))
}

/// The text under a key, with its place.
fn placed(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Word> {
    let text = reader.optional(fields, key)?;
    fields.get(key).map(|node| Word { text, place: node.place })
}

/// One text, or a list of them, each with its place.
fn all_placed(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Vec<Word> {
    let what = text!("`{}` of {}", key, fields.what);
    let Some(node) = fields.get(key) else { return Vec::new() };
    items(node).iter().filter_map(|item| reader.text(item, what.clone()).map(|text| Word { text, place: item.place })).collect()
}

fn date(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Time> {
    let text = reader.optional(fields, "date")?;
    let time = Time::parse(&text).or_else(|| Time::parse(&format!("{text}T00:00:00Z")));
    if let (None, Some(node)) = (time, fields.get("date")) {
        let message = text!("invalid date `{}`", text);
        let help = text!("use a date like `2025-06-01`, or a time like `2025-06-01T10:00:00+08:00`");
        reader.report(Diagnostic::error(Code::WRONG_KIND, node.place, message).label("a date is expected here").help(help));
    }
    time
}

/// There is a root cause, but without the required fault.
struct Unusable;

/// A root cause as the file has it.
struct RootWords {
    component: Option<Word>,
    kind: Option<Word>,
    fault: String,
}

fn root(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Result<Option<RootWords>, Unusable> {
    let Some(node) = fields.get("root_cause") else {
        let warning = Diagnostic::warning(Code::MISSING_KEY, fields.place, "a case without `root_cause` cannot propose a suspect");
        reader.report(warning.label("`root_cause` is missing").help("add `root_cause: {component: …, type: …, fault: …}`"));
        return Ok(None);
    };
    let Some(root) = reader.fields(node, "a root cause", ROOT) else { return Err(Unusable) };
    let component = placed(reader, &root, "component");
    let kind = placed(reader, &root, "type");
    let fault = reader.needed(&root, "fault").ok_or(Unusable)?;
    Ok(Some(RootWords { component, kind, fault }))
}

/// Type, metric, and whether it was high.
type MetricWords = (Word, Word, bool);

fn symptoms(reader: &mut Reader<'_>, fields: &Fields<'_>) -> (Vec<Word>, Vec<Word>, Vec<MetricWords>) {
    let symptoms = fields.get("symptoms").and_then(|node| reader.fields(node, "the symptoms", SYMPTOMS));
    let Some(symptoms) = symptoms else { return (Vec::new(), Vec::new(), Vec::new()) };
    let alerts = all_placed(reader, &symptoms, "alerts");
    let logs = all_placed(reader, &symptoms, "logs");
    let metrics = reader.list_of(&symptoms, "metrics").iter().filter_map(|node| metric(reader, node)).collect();
    (alerts, logs, metrics)
}

fn metric(reader: &mut Reader<'_>, node: &Node) -> Option<MetricWords> {
    let fields = reader.fields(node, "a metric of the symptoms", METRIC)?;
    let kind = needed(reader, &fields, "type");
    let metric = needed(reader, &fields, "metric");
    let change = reader.needed(&fields, "change")?;
    let high = match change.as_str() {
        "high" => true,
        "low" => false,
        other => {
            let message = text!("invalid change `{}` of a metric", other);
            let place = fields.get("change").map_or(fields.place, |node| node.place);
            let help = suggestion(other, CHANGES.iter().copied()).unwrap_or_else(|| text!("use one of {}", listed(CHANGES)));
            reader.report(Diagnostic::error(Code::WRONG_KIND, place, message).help(help));
            return None;
        }
    };
    Some((kind?, metric?, high))
}

/// The text under a required key, with its place.
fn needed(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Word> {
    let text = reader.needed(fields, key)?;
    fields.get(key).map(|node| Word { text, place: node.place })
}

#[cfg(test)]
mod tests {
    use super::{Case, read_case};
    use diag::Sources;

    /// The case, and each diagnostic as `CODE help-or-message`.
    fn check(text: &str, used: bool, expected: &[&str]) -> Option<Case> {
        let mut sources = Sources::default();
        let source = sources.add("cases/HIS-20250601/case.yaml", text);
        let (case, diagnostics) = read_case(&sources, source);
        let found: Vec<String> = diagnostics.iter().map(|d| format!("{} {}", d.code, d.help.as_ref().unwrap_or(&d.message))).collect();
        assert_eq!(found, expected, "{text}");
        assert_eq!(case.is_some(), used, "{text}");
        case.map(|(case, _)| case)
    }

    const HEAD: &str = "id: HIS-20250601\ntitle: 订单数据库连接数耗尽\nroot_cause: {fault: connections exhausted}\n";

    #[test]
    fn reads_every_part() {
        let text = "id: 42\ntitle: t\ndate: 2025-06-01\nroot_cause: {component: order-db, type: database, fault: 连接数耗尽}\n\
            symptoms:\n  alerts: [A, B]\n  logs: one line\n  metrics: [{type: database, metric: connections, change: high}]\n\
            affected: [database, service]\nsolutions: [restart]\nrule: CAS-001\nnotes: none\n";
        let case = check(text, true, &[]).unwrap();
        assert_eq!((case.id.as_str(), case.date.map(|d| d.to_string()).as_deref()), ("42", Some("2025-06-01T00:00:00Z")));
        assert_eq!((case.alerts.len(), case.logs.len(), case.metrics.len(), case.affected.len()), (2, 1, 1, 2));
        let root = case.root.unwrap();
        assert_eq!((root.kind.as_deref(), root.fault.as_str()), (Some("database"), "连接数耗尽"));
    }

    #[test]
    fn a_mistake_costs_only_its_part() {
        let date = "F3003 use a date like `2025-06-01`, or a time like `2025-06-01T10:00:00+08:00`";
        let change = "symptoms: {metrics: [{type: a, metric: b, change: hihg}, {type: a, metric: b, change: low}]}\n";
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("date: 2025-02-30\n", &[date]),
            ("date: 2025-06-01T10:00:00+08:00\n", &[]),
            ("solution: [x]\n", &["F3002 did you mean `solutions`?"]),
            ("affected: [{a: b}, c]\n", &["F3003 `affected` of a case must be text, not a map"]),
            ("symptoms: {metrics: high}\n", &["F3003 `metrics` of the symptoms must be a list, not text"]),
            (change, &["F3003 did you mean `high`?"]),
        ];
        for (tail, expected) in cases {
            check(&format!("{HEAD}{tail}"), true, expected);
        }
    }

    #[test]
    fn what_a_case_needs() {
        let no_root = "F3004 add `root_cause: {component: …, type: …, fault: …}`";
        check("title: t\nroot_cause: {fault: f}\n", false, &["F3004 a case needs `id`"]);
        check("id: a\ntitle:\nroot_cause: {fault: f}\n", false, &["F3004 give `title` a value"]);
        check("id: a\ntitle: t\nroot_cause: {component: c}\n", false, &["F3004 a root cause needs `fault`"]);
        check("id: a\ntitle: t\n", true, &[no_root]);
        let keys = "`id`, `title`, `date`, `root_cause`, `symptoms`, `affected`, `solutions`, `rule`, `notes`";
        check("", false, &[&format!("F6001 a case has {keys}")]);
        check("- a\n", false, &[&format!("F6001 a case has {keys}")]);
    }
}
