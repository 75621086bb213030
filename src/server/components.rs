//! The estate: its components, and one of them with what is around it; as it is, or as the store of the project had it.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Map, Value, json};

use estate::{AttributeValue, Component, ComponentId, Relation, Snapshot, Tier};
use project::find_type;
use signal::{CALLS, SIGNALS, Seen, Sighting, TRACES};

use super::AppState;
use super::asked::{Asked, Sent, component};
use super::queries::{estate_then, warnings_of};
use super::refusal::Refusal;
use super::reply::Json;
use super::turns::Size;

/// Components in one answer, unless asked otherwise, and at most.
const LISTED: usize = 200;
const MAX_LISTED: usize = 10_000;

/// `GET /api/v1/estate?q=&type=&owner=&tier=&as_of=&limit=`: the components that fit, by id.
pub async fn list(State(served): State<Arc<AppState>>, query: Sent) -> Result<Json, Refusal> {
    let asked = Asked::of(query, &["q", "type", "owner", "tier", "as_of", "limit", "lang"])?;
    let shared = Arc::clone(&served);
    served.turns.run(size(&asked), move || search(&shared, &asked)).await
}

/// The estate of another time is read from the store first.
fn size(asked: &Asked) -> Size {
    if asked.get("as_of").is_some() { Size::Large } else { Size::Small }
}

fn search(served: &AppState, asked: &Asked) -> Result<Json, Refusal> {
    let lang = asked.locale()?.lang;
    let published = served.live.published();
    let then = estate_then(&published.revision.project, asked)?;
    let estate = then.as_ref().map_or(&*published.laid.whole, |then| &then.estate);
    let seen = then.is_none().then(|| &*published.laid.seen);
    let kind = asked.get("type").map(|kind| find_type(estate, kind)).transpose();
    let kind = kind.map_err(|found| Refusal::of(axum::http::StatusCode::NOT_FOUND, &found))?;
    let tier = asked.choice("tier", &Tier::ALL.map(|tier| (tier.name(), tier)))?;
    let limit = asked.number("limit", MAX_LISTED)?.unwrap_or(LISTED);
    let text = asked.get("q").map(str::to_lowercase);
    let fits = |id: &ComponentId| {
        let found = estate.component(*id);
        kind.as_ref().is_none_or(|kind| estate.is_a(*id, kind))
            && tier.is_none_or(|tier| found.tier == Some(tier))
            && asked.get("owner").is_none_or(|owner| found.owner.as_deref() == Some(owner))
            && text.as_ref().is_none_or(|text| mentions(found, text))
    };
    let all: Vec<ComponentId> = estate.ids().filter(fits).collect();
    let shown: Vec<Value> = all.iter().take(limit).map(|id| Value::Object(brief(estate, seen, *id))).collect();
    Ok(Json(json!({
        "components": shown,
        "left_off": all.len().saturating_sub(limit),
        "of": estate.len(),
        "as_of": then.as_ref().map(|then| then.revision),
        "warnings": warnings_of(served, then.as_ref(), lang),
    })))
}

/// Whether its id, its name or an alias has this text in it, in small letters.
fn mentions(found: &Component, text: &str) -> bool {
    [&found.id, &found.name].into_iter().chain(&found.aliases).any(|name| name.to_lowercase().contains(text))
}

/// `seen`: what nobody declared says so, and when it was seen.
fn brief(estate: &Snapshot, seen: Option<&Seen>, id: ComponentId) -> Map<String, Value> {
    let found = estate.component(id);
    let fields = [
        ("component", json!(found.id)),
        ("name", json!(found.name)),
        ("type", json!(found.kind)),
        ("tier", json!(found.tier)),
        ("owner", json!(found.owner)),
        ("environment", json!(found.environment)),
    ];
    let pod = seen.and_then(|seen| seen.pods.get(&found.id)).map(|pod| ("seen", provenance(SIGNALS, pod.sighting)));
    fields.into_iter().chain(pod).map(|(key, value)| (key.to_owned(), value)).collect()
}

fn provenance(origin: &str, sighting: Sighting) -> Value {
    json!({"origin": origin, "first_seen": sighting.first, "last_seen": sighting.last})
}

/// `GET /api/v1/estate/{id}?as_of=`: one component, what it is related to, and the open incidents that concern it.
pub async fn one(State(served): State<Arc<AppState>>, Path(id): Path<String>, query: Sent) -> Result<Json, Refusal> {
    let asked = Asked::of(query, &["as_of", "lang"])?;
    let shared = Arc::clone(&served);
    served.turns.run(size(&asked), move || show(&shared, &id, &asked)).await
}

fn show(served: &AppState, name: &str, asked: &Asked) -> Result<Json, Refusal> {
    let lang = asked.locale()?.lang;
    let published = served.live.published();
    let project = &published.revision.project;
    let then = estate_then(project, asked)?;
    let estate = then.as_ref().map_or(&*published.laid.whole, |then| &then.estate);
    let seen = then.is_none().then(|| &*published.laid.seen);
    let id = component(estate, name)?;
    let found = estate.component(id);
    let mut shown = brief(estate, seen, id);
    let attributes: Map<String, Value> = found.attributes.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
    let related = |one: &Relation, other: ComponentId| {
        let mut related = brief(estate, seen, other);
        let ids = (&estate.component(one.from).id, &estate.component(one.to).id);
        let call = seen.filter(|_| one.kind == CALLS).and_then(|seen| seen.call(ids.0, ids.1));
        related.extend(call.map(|call| ("seen".to_owned(), provenance(TRACES, call))));
        related.insert("relation".to_owned(), json!(one.kind));
        related.insert("effect".to_owned(), json!(one.effect));
        Value::Object(related)
    };
    let to: Vec<Value> = estate.relations_from(id).iter().map(|one| related(one, one.to)).collect();
    let from: Vec<Value> = estate.relations_to(id).iter().map(|one| related(one, one.from)).collect();
    let groups: Vec<Value> = estate
        .groups_of(id)
        .map(|group| {
            let members: Vec<&str> = group.members.iter().map(|member| estate.component(*member).id.as_str()).collect();
            json!({"group": group.id, "need": group.need, "members": members})
        })
        .collect();
    // A place in the files of the project is none of the store.
    let place = found.place.filter(|_| then.is_none()).map(|place| project.sources.describe(place));
    let concerned = published.diagnosis.incidents.iter().filter(|incident| {
        let suspect = incident.suspects.iter().any(|suspect| suspect.component.as_deref() == Some(found.id.as_str()));
        suspect || incident.impact.iter().any(|view| view.component == found.id)
    });
    let incidents: Vec<Value> = concerned
        .map(|incident| {
            let first = incident.suspects.first();
            json!({
                "since": incident.since,
                "until": incident.until,
                "suspect": first.and_then(|suspect| suspect.component.as_ref()),
                "fault": first.map(|suspect| &suspect.fault),
                "state": incident.impact.iter().find(|view| view.component == found.id).map(|view| view.state),
            })
        })
        .collect();
    for (key, value) in [
        ("aliases", json!(found.aliases)),
        ("attributes", Value::Object(attributes)),
        ("place", json!(place)),
        ("to", Value::Array(to)),
        ("from", Value::Array(from)),
        ("groups", Value::Array(groups)),
        ("incidents", Value::Array(incidents)),
    ] {
        shown.insert(key.to_owned(), value);
    }
    let as_of = then.as_ref().map(|then| then.revision);
    Ok(Json(json!({"component": shown, "as_of": as_of, "warnings": warnings_of(served, then.as_ref(), lang)})))
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Text(text) => json!(text),
        AttributeValue::Bool(value) => json!(value),
        AttributeValue::Number(number) => json!(number),
    }
}
