//! What the query string of a request asks for.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, StatusCode};

use diag::{Code, did_you_mean, nearest};
use estate::{ComponentId, Snapshot};
use value::Time;
use words::{Lang, Locale, Zone};

use super::incidents::known;
use super::refusal::Refusal;
use super::reply::Format;
use super::request::time;

/// A query string as axum reads it; a key may be there several times.
pub type Sent = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// Keys and values, of which all keys are known.
#[derive(Debug)]
pub struct Asked(Vec<(String, String)>);

impl Asked {
    pub fn of(sent: Sent, keys: &[&str]) -> Result<Asked, Refusal> {
        let Query(pairs) = sent.map_err(|rejection| Refusal::request(rejection.body_text()))?;
        known(pairs.iter().map(|(key, _)| key), keys)?;
        Ok(Asked(pairs))
    }

    /// The values of a key that may be there several times; empty ones are left out.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, value)| name == key && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, value)| name == key && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub fn owned(&self, key: &str) -> Option<String> {
        self.get(key).map(str::to_owned)
    }

    /// `lang` and `tz`: English and UTC unless asked otherwise.
    pub fn locale(&self) -> Result<Locale, Refusal> {
        let lang = match self.get("lang") {
            None | Some("en") => Lang::En,
            Some("zh") => Lang::Zh,
            Some(other) => return Err(Refusal::request(format!("unknown language `{other}`")).help("known languages: en, zh")),
        };
        let zone = match self.get("tz") {
            None => Zone::default(),
            Some(name) => Zone::parse(name).ok_or_else(|| {
                Refusal::request(format!("unknown time zone `{name}`"))
                    .help("use a name like `Asia/Shanghai` or `UTC`, or an offset like `+08:00`; in a URL, write `+` as `%2B`")
            })?,
        };
        Ok(Locale { lang, zone })
    }

    /// `format`, else what the client says that it accepts, else JSON.
    pub fn format(&self, headers: &HeaderMap) -> Result<Format, Refusal> {
        if let Some(format) = self.choice("format", &Format::NAMES)? {
            return Ok(format);
        }
        let accepted = headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or("");
        let first = accepted.split([',', ';']).next().unwrap_or("").trim();
        Ok(match first {
            "text/plain" => Format::Text,
            "text/markdown" => Format::Markdown,
            _ => Format::Json,
        })
    }

    /// `at`
    pub fn at(&self) -> Result<Option<Time>, Refusal> {
        self.get("at").map(time).transpose()
    }

    /// A whole number of at most `most`.
    pub fn number(&self, key: &str, most: usize) -> Result<Option<usize>, Refusal> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let number: Option<usize> = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.map(Some).ok_or_else(|| Refusal::request(format!("`{key}` is a whole number from 1 to {most}, not `{text}`")))
    }

    /// One of several words.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        let Some(text) = self.get(key) else { return Ok(None) };
        match choices.iter().find(|(name, _)| *name == text) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                Err(Refusal::request(format!("unknown value `{text}` of `{key}`")).help(format!("known values: {}", names.join(", "))))
            }
        }
    }
}

/// A component by id or unique name.
pub fn component(estate: &Snapshot, name: &str) -> Result<ComponentId, Refusal> {
    estate.find_named(name).ok_or_else(|| Refusal::of(StatusCode::NOT_FOUND, &project::unknown_component(estate, name)))
}

/// A name that is none of those that there are.
pub fn unknown<'n>(code: Code, message: String, name: &str, names: impl Iterator<Item = &'n str>, list: &str) -> Refusal {
    let help = nearest(name, names).map_or_else(|| format!("`GET {list}` lists them"), |near| did_you_mean(near).into());
    Refusal::new(StatusCode::NOT_FOUND, code, message).help(help)
}
