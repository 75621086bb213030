//! A new past case: the folder that is made of an incident whose cause is known, ready to be committed.

use std::fmt::Write as _;
use std::path::Path;

use diag::Diagnostic;
use import::quoted;
use knowledge::{Case, CaseMetric};
use serde_json::json;
use value::Time;

use super::Project;

/// The folder of cases in a project.
const CASES: &str = "cases";

/// An id for a case of that day that no case and no folder has: `HIS-20250601`, `HIS-20250601-2`, …
pub fn free_case_id(project: &Project, date: Time) -> String {
    let day: String = date.to_string().chars().take_while(|c| *c != 'T').filter(|c| *c != '-').collect();
    let taken = |id: &str| project.cases.find(id).is_some() || project.root.join(CASES).join(id).exists();
    let first = format!("HIS-{day}");
    if !taken(&first) {
        return first;
    }
    (2..u32::MAX).map(|number| format!("{first}-{number}")).find(|id| !taken(id)).unwrap_or(first)
}

/// Writes the folder of a case, with its recorded signals and what else belongs to it; replaces files of the same names. Returns its path in
/// the project. `case.yaml` comes last: without it, the folder is no case.
///
/// # Errors
/// `UNWRITABLE`
pub fn write_case(root: &Path, case: &Case, files: &[(&str, String)]) -> Result<String, Box<Diagnostic>> {
    let shown = format!("{CASES}/{}", case.id);
    let folder = root.join(CASES).join(&case.id);
    for (name, text) in files {
        files::write(&folder.join(name), text)?;
    }
    files::write(&folder.join("case.yaml"), case_yaml(case))?;
    Ok(shown)
}

/// What `eval` and `mine` compare with: the root cause of the case. `None` if it names no component.
pub fn expected_json(case: &Case) -> Option<String> {
    let root = case.root.as_ref()?;
    let component = root.component.as_ref()?;
    Some(format!("{}\n", json!({"root_causes": [{"component": component, "fault": root.fault}], "no_fault": false})))
}

/// The text of a `case.yaml`, which `knowledge::read_case` reads back as the same case.
pub fn case_yaml(case: &Case) -> String {
    let mut page = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(page, "{key}: {value}");
    };
    line("id", &quoted(&case.id));
    line("title", &quoted(&case.title));
    if let Some(date) = case.date {
        line("date", &date.to_string());
    }
    if let Some(root) = &case.root {
        let named = [("component", &root.component), ("type", &root.kind)];
        let named = named.into_iter().filter_map(|(key, value)| Some(format!("{key}: {}, ", quoted(value.as_ref()?))));
        line("root_cause", &format!("{{{}fault: {}}}", named.collect::<String>(), quoted(&root.fault)));
    }
    let metric = |metric: &CaseMetric| {
        let change = if metric.high { "high" } else { "low" };
        format!("{{type: {}, metric: {}, change: {change}}}", quoted(&metric.kind), quoted(&metric.metric))
    };
    let all = |list: &[String]| list.iter().map(|text| quoted(text)).collect::<Vec<String>>();
    let symptoms =
        [("alerts", all(&case.alerts)), ("logs", all(&case.logs)), ("metrics", case.metrics.iter().map(metric).collect::<Vec<String>>())];
    if symptoms.iter().any(|(_, list)| !list.is_empty()) {
        page.push_str("symptoms:\n");
        symptoms.iter().for_each(|(key, list)| listed(&mut page, "  ", key, list));
    }
    listed(&mut page, "", "affected", &all(&case.affected));
    listed(&mut page, "", "solutions", &all(&case.solutions));
    for (key, value) in [("rule", &case.rule), ("notes", &case.notes)] {
        if let Some(value) = value {
            let _ = writeln!(page, "{key}: {}", quoted(value));
        }
    }
    page
}

fn listed(page: &mut String, indent: &str, key: &str, list: &[String]) {
    if list.is_empty() {
        return;
    }
    let _ = writeln!(page, "{indent}{key}:");
    for one in list {
        let _ = writeln!(page, "{indent}  - {one}");
    }
}

#[cfg(test)]
mod tests {
    use diag::Sources;
    use knowledge::{Case, CaseMetric, Root, read_case};
    use value::Time;

    use super::case_yaml;

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        let bare = Case {
            id: "HIS-20250601".to_owned(),
            title: "t".to_owned(),
            date: None,
            root: None,
            alerts: Vec::new(),
            logs: Vec::new(),
            metrics: Vec::new(),
            affected: Vec::new(),
            solutions: Vec::new(),
            rule: None,
            notes: None,
        };
        let root = |component: Option<&str>| Root {
            component: component.map(str::to_owned),
            kind: component.map(|_| "database".to_owned()),
            fault: "连接数：耗尽 \"all\" {of} them".to_owned(),
        };
        let metric = |high| CaseMetric { kind: "database".to_owned(), metric: "connections".to_owned(), high };
        let full = Case {
            title: "- no: list, #2".to_owned(),
            date: Time::parse("2025-06-01T02:03:04Z"),
            root: Some(root(Some("order-db"))),
            alerts: list(&["A: 450 connections", "yes", "a\nb\\c"]),
            logs: list(&["{\"msg\": \"x\"}", "无法获取数据库连接: 'a'"]),
            metrics: vec![metric(true), metric(false)],
            affected: list(&["order-db", "order-service"]),
            solutions: list(&["Restart it: now"]),
            rule: Some("CAS-001".to_owned()),
            notes: Some("li: one\nwang: two\ttabs".to_owned()),
            ..bare.clone()
        };
        for case in [bare.clone(), full, Case { root: Some(root(None)), ..bare }] {
            let text = case_yaml(&case);
            let mut sources = Sources::default();
            let source = sources.add("cases/HIS-20250601/case.yaml", text.as_str());
            let (read, diagnostics) = read_case(&sources, source);
            assert!(diagnostics.iter().all(|found| !found.is_error()), "{text}{diagnostics:?}");
            assert_eq!(read.map(|(read, _)| read), Some(case), "{text}");
        }
    }
}
