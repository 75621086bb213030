//! A webhook media type of Zabbix, whose parameters are macros: `docs/ingest.md` has the script. It becomes an alert like any other.

use serde_json::{Map, Value, json};

use diag::text;
use signal::Intake;
use value::Time;

use super::refusal::Refusal;

/// Parameters that become labels, with their names there.
const LABELS: &[(&str, &str)] =
    &[("name", "alertname"), ("host", "host"), ("ip", "ip"), ("severity", "zabbix_severity"), ("trigger_id", "trigger_id")];

/// The severities of Zabbix, by their number, as those of Prometheus.
const SEVERITIES: &[(&str, &str)] =
    &[("0", "info"), ("1", "info"), ("2", "warning"), ("3", "warning"), ("4", "critical"), ("5", "critical")];

const TEXTS: &[(&str, &str)] = &[("name", "summary"), ("message", "description"), ("opdata", "value")];

/// One message, or several in a list.
pub(super) fn read(body: &[u8], received: Time, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let written: Value = serde_json::from_slice(body).map_err(|error| Refusal::malformed(text!("the body is not JSON: {}", error)))?;
    let messages = match written {
        Value::Array(messages) => messages,
        other => vec![other],
    };
    if !messages.is_empty() && !messages.iter().any(|message| message.get("event_id").is_some()) {
        let refusal = Refusal::malformed(text!("this is no message of the Zabbix media type: it has no `event_id`"));
        let help = text!("send the parameters of the media type as one JSON object, `event_id` among them");
        return Err(Refusal { help: Some(help), ..refusal });
    }
    let alerts: Vec<Value> =
        messages.iter().map(|message| message.as_object().map_or(Value::Null, |fields| alert(fields, received))).collect();
    intake.alerts(json!(alerts).to_string().as_bytes(), None)?;
    Ok(())
}

/// The text of a parameter. A macro that has no value stays as it is written: `{HOST.IP}`, or becomes `*UNKNOWN*`.
fn said<'v>(fields: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    let text = fields.get(key)?.as_str()?.trim();
    let of_macro = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '{' | '}' | '.' | '_');
    let is_macro = text.starts_with('{') && text.ends_with('}') && text.chars().all(of_macro);
    (!text.is_empty() && text != "*UNKNOWN*" && !is_macro).then_some(text)
}

fn alert(fields: &Map<String, Value>, received: Time) -> Value {
    let mut labels = tags(fields);
    for (key, label) in LABELS {
        if let Some(value) = said(fields, key) {
            labels.insert((*label).to_owned(), json!(value));
        }
    }
    let severity = said(fields, "nseverity").and_then(|number| SEVERITIES.iter().find(|(known, _)| *known == number));
    if let Some((_, severity)) = severity {
        labels.insert("severity".to_owned(), json!(severity));
    }
    let texts = TEXTS.iter().filter_map(|(key, name)| Some(((*name).to_owned(), json!(said(fields, key)?))));
    let annotations: Map<String, Value> = texts.collect();
    // `{EVENT.VALUE}` is 1 for a problem, also in messages about its recovery; there, `{EVENT.RECOVERY.VALUE}` is 0.
    let resolved = said(fields, "value") == Some("0") || said(fields, "recovery_value") == Some("0");
    let moment = |key: &str| said(fields, key).and_then(|seconds| Time::from_seconds(seconds.parse().ok()?));
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "fingerprint": said(fields, "event_id").map(|id| format!("zabbix {id}")),
        "status": if resolved { "resolved" } else { "firing" },
        "startsAt": moment("time").map(|time| time.to_string()),
    });
    if resolved && let Some(fields) = alert.as_object_mut() {
        let end = moment("recovery_time").unwrap_or(received);
        fields.insert("endsAt".to_owned(), json!(end.to_string()));
    }
    alert
}

/// `{EVENT.TAGSJSON}`: a text with a list of `{"tag": "service", "value": "pay"}`.
fn tags(fields: &Map<String, Value>) -> Map<String, Value> {
    let list: Option<Vec<Value>> = said(fields, "tags").and_then(|text| serde_json::from_str(text).ok());
    let pair = |tag: &Value| Some((tag.get("tag")?.as_str()?.to_owned(), tag.get("value").filter(|value| value.is_string())?.clone()));
    list.unwrap_or_default().iter().filter_map(pair).collect()
}
