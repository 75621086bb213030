//! Small readings of Kubernetes objects: selectors, quantities, containers.

use serde_json::Value;

use super::{Written, tree};

/// Whether labels have what a selector asks for. `selector` is a `LabelSelector` or a plain map; an empty one selects nothing.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    let structured = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    let wanted = if structured { tree::entries(selector, &["matchLabels"]) } else { tree::entries(selector, &[]) };
    let expressions = tree::list(selector, &["matchExpressions"]);
    if wanted.is_empty() && expressions.is_empty() {
        return false;
    }
    let label = |key: &str| labels.get(key).and_then(tree::scalar);
    let equal = wanted.into_iter().all(|(key, value)| tree::scalar(value) == label(key));
    equal
        && expressions.iter().all(|expression| {
            let key = tree::text(expression, &["key"]).unwrap_or_default();
            let values: Vec<String> = tree::list(expression, &["values"]).iter().filter_map(tree::scalar).collect();
            let found = label(&key);
            match tree::text(expression, &["operator"]).as_deref() {
                Some("In") => found.is_some_and(|found| values.contains(&found)),
                Some("NotIn") => found.is_none_or(|found| !values.contains(&found)),
                Some("Exists") => found.is_some(),
                Some("DoesNotExist") => found.is_none(),
                _ => false,
            }
        })
}

/// `10Gi` as `10GiB`; a plain number is a number of bytes.
pub(super) fn quantity(text: &str) -> Option<Written> {
    let units = ["Ki", "Mi", "Gi", "Ti", "M", "G", "T", "k"];
    let unit = units.into_iter().find(|unit| text.ends_with(unit));
    match unit {
        Some(unit) => text
            .strip_suffix(unit)
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|number| number.is_finite())
            .map(|number| Written::Text(format!("{number}{unit}B"))),
        None => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Written::Number),
    }
}

/// The container that the workload is about: the one of its name, else the first.
pub(super) fn main_container<'v>(pod: &'v Value, name: &str) -> Option<&'v Value> {
    let containers = tree::list(pod, &["spec", "containers"]);
    containers.iter().find(|container| tree::text(container, &["name"]).as_deref() == Some(name)).or_else(|| containers.first())
}
