//! `/api/v1/predict`: scores rows with models fitted by `faultscope anomaly fit`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use anomaly::Model;
use diag::{Code, did_you_mean, nearest};
use value::Time;

use super::AppState;
use super::models::Models;
use super::refusal::Refusal;
use super::reply::Json;
use super::request::{accepts, body, spawn_blocking, time};

/// The largest body, in bytes. A row takes about a hundred.
pub const MAX_BODY: usize = 4 << 20;

/// The maximum number of rows per request: enough for one scrape of an estate.
const MAX_ROWS: usize = 10_000;

/// `GET /api/v1/predict?model=NAME&COLUMN=VALUE`: one row. With `time`, it is compared with the usual values at that time of day and week.
pub async fn one(
    State(served): State<Arc<AppState>>,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Result<Json, Refusal> {
    let Query(mut query) = query.map_err(|rejection| Refusal::request(rejection.body_text()))?;
    let named = query.remove("model");
    let at = query.remove("time").map(|text| time(&text)).transpose()?;
    let models = served.models.used();
    let (_, model) = find(&models, named.as_deref())?;
    let mut row = BTreeMap::new();
    for (column, text) in query {
        let value = text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
        let value =
            value.ok_or_else(|| Refusal::request(format!("`{column}` must be a number, not `{text}`")).help("like `cpu_usage=90`"))?;
        row.insert(column, value);
    }
    say(model, &row, at).map(Json)
}

/// Several rows for one model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    model: Option<String>,
    /// The time of all rows.
    time: Option<Time>,
    rows: Vec<BTreeMap<String, f64>>,
}

/// `POST /api/v1/predict`: several rows.
pub async fn several(
    State(served): State<Arc<AppState>>,
    headers: HeaderMap,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Json, Refusal> {
    accepts(&headers, &["application/json"])?;
    let bytes = body(sent, MAX_BODY)?;
    spawn_blocking(move || judge(&served, &bytes)).await.map(Json)
}

fn judge(served: &AppState, bytes: &[u8]) -> Result<Value, Refusal> {
    let asked: Several = serde_json::from_slice(bytes).map_err(|error| {
        let message = format!("invalid body: {error}");
        let refusal = if error.is_data() { Refusal::unusable(message) } else { Refusal::request(message) };
        refusal.help("send an object like {\"model\": \"cpu\", \"rows\": [{\"cpu_usage\": 90}]}")
    })?;
    if asked.rows.len() > MAX_ROWS {
        let message = format!("{} rows exceed the maximum of {MAX_ROWS}", asked.rows.len());
        return Err(Refusal::unusable(message).help("split them into several requests"));
    }
    let models = served.models.used();
    let (name, model) = find(&models, asked.model.as_deref())?;
    let mut scores = Vec::with_capacity(asked.rows.len());
    for (index, row) in asked.rows.iter().enumerate() {
        scores.push(
            say(model, row, asked.time).map_err(|refusal| Refusal { message: format!("row {index}: {}", refusal.message), ..refusal })?,
        );
    }
    Ok(json!({"model": name, "scores": scores}))
}

/// The model of that name; without a name, the only model.
fn find<'m>(models: &'m Models, asked: Option<&str>) -> Result<(&'m str, &'m Model), Refusal> {
    let missing = |message: String| Refusal::new(StatusCode::NOT_FOUND, Code::NO_MODEL, message);
    let names = || models.keys().map(String::as_str);
    let known = || names().collect::<Vec<_>>().join(", ");
    match asked {
        Some(name) => models.get_key_value(name).map(|(name, model)| (name.as_str(), model)).ok_or_else(|| {
            let help = match nearest(name, names()) {
                Some(near) => did_you_mean(near).into(),
                None if models.is_empty() => "the server has no models: start it with `--models DIR`".to_owned(),
                None => format!("known models: {}", known()),
            };
            missing(format!("unknown model `{name}`")).help(help)
        }),
        None => {
            let mut all = models.iter();
            match (all.next(), all.next()) {
                (Some((name, model)), None) => Ok((name, model)),
                (None, _) => Err(missing("the server has no models".to_owned()).help("start the server with `--models DIR`")),
                (Some(_), Some(_)) => {
                    Err(Refusal::unusable("the request names no model").help(format!("set `model` to one of: {}", known())))
                }
            }
        }
    }
}

/// The row with its result. If a column has the name of a result field, the result field is kept.
fn say(model: &Model, row: &BTreeMap<String, f64>, at: Option<Time>) -> Result<Value, Refusal> {
    let columns: Vec<&str> = model.columns().collect();
    if let Some(other) = row.keys().find(|name| !columns.contains(&name.as_str())) {
        let near = nearest(other, columns.iter().copied());
        let help = near.map_or_else(|| format!("its columns: {}", columns.join(", ")), |near| did_you_mean(near).into());
        return Err(Refusal::unusable(format!("the model has no column `{other}`")).help(help));
    }
    if row.is_empty() {
        return Err(Refusal::unusable("the row has no columns").help(format!("columns of the model: {}", columns.join(", "))));
    }
    let scored = model.score_at(row, at);
    let mut answer: Map<String, Value> = row.iter().map(|(column, value)| (column.clone(), json!(value))).collect();
    let said = [
        ("status", json!(if scored.anomalous { "anomalous" } else { "normal" })),
        ("p", json!(scored.p)),
        ("detector", json!(scored.detector)),
        ("column", json!(scored.column)),
        ("values", json!(scored.values)),
    ];
    answer.extend(said.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)));
    Ok(Value::Object(answer))
}
