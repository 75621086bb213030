//! Attributes as labels.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::wire::lossy;
use super::super::wire::otlp::{Any, AnyValue, KeyValue};
use super::names::label_name;

/// The attributes by their own names. What has no value is left out.
pub(super) fn plain(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes.iter().filter_map(|pair| Some((lossy(&pair.key), text(pair.value.as_ref()?)?))).collect()
}

/// The same by the names that Prometheus and Loki give them, so that one entry of `sources.yaml` holds for all: `k8s_pod_name`.
pub(super) fn labels(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    plain(attributes).into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (label_name(&name), value)).collect()
}

/// The labels of a resource. Its namespace, where no cluster says one, is that of the service, as for spans.
pub(super) fn of_resource(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let mut labels = labels(attributes);
    if !labels.contains_key("k8s_namespace_name")
        && let Some(namespace) = labels.get("service_namespace").cloned()
    {
        labels.entry("namespace".to_owned()).or_insert(namespace);
    }
    labels
}

/// A value as text: lists and maps as JSON. `None` if there is none.
pub(super) fn text(value: &AnyValue) -> Option<String> {
    Some(match value.value.as_ref()? {
        Any::Text(text) | Any::Bytes(text) => lossy(text),
        Any::Bool(value) => value.to_string(),
        Any::Int(number) => number.to_string(),
        Any::Double(number) => number.to_string(),
        Any::Array(_) | Any::KeyValues(_) => tree(value).to_string(),
    })
}

/// `prost` has limited how deep it is.
fn tree(value: &AnyValue) -> Value {
    match &value.value {
        None => Value::Null,
        Some(Any::Text(text) | Any::Bytes(text)) => json!(lossy(text)),
        Some(Any::Bool(value)) => json!(value),
        Some(Any::Int(number)) => json!(number),
        Some(Any::Double(number)) => json!(number),
        Some(Any::Array(list)) => list.values.iter().map(tree).collect(),
        Some(Any::KeyValues(map)) => {
            let pair = |pair: &KeyValue| (lossy(&pair.key), pair.value.as_ref().map_or(Value::Null, tree));
            Value::Object(map.values.iter().map(pair).collect::<Map<_, _>>())
        }
    }
}
