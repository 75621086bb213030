//! Zipkin v2: a list of spans, as for `POST /api/v2/spans`, or a list of lists, as in responses of `GET /api/v2/traces`.

use serde::Deserialize;

use super::super::json::{LabelValue, Labels};
use super::places::{Attributes, PEER_IP, PEER_SERVICE, SERVICE, Tags};
use super::spans::{Kind, RawSpan, microseconds, span_id, trace_id};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an endpoint, an object with `serviceName`")]
pub(super) struct Endpoint {
    service_name: Option<String>,
    ipv4: Option<String>,
    ipv6: Option<String>,
}

/// The fields of a span; `traceId` distinguishes it from the other formats.
pub(super) struct Wire {
    pub trace_id: String,
    pub id: Option<String>,
    pub parent_id: Option<String>,
    pub timestamp: Option<LabelValue>,
    pub duration: Option<LabelValue>,
    pub kind: Option<String>,
    pub local: Option<Endpoint>,
    pub remote: Option<Endpoint>,
    pub tags: Option<Labels>,
}

impl Endpoint {
    fn attributes(self, service: &str, ip: &str) -> Attributes {
        let named = [(service, self.service_name), (ip, self.ipv4.or(self.ipv6))];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.filter(|value| !value.is_empty())?))).collect()
    }
}

impl Wire {
    /// The attributes of its endpoint, and the span.
    pub fn split(self) -> (Attributes, RawSpan) {
        let mut tags = Tags::default();
        for (name, value) in self.tags.unwrap_or_default().0 {
            tags.take(&name, Some(value));
        }
        let number = |value: Option<LabelValue>| microseconds(&value?.0?);
        let start = number(self.timestamp);
        let duration = number(self.duration);
        let mut peer = self.remote.map(|remote| remote.attributes(PEER_SERVICE, PEER_IP)).unwrap_or_default();
        peer.extend(tags.peer);
        let span = RawSpan {
            trace: trace_id(&self.trace_id),
            id: self.id.as_deref().map_or(0, span_id),
            parent: self.parent_id.as_deref().map_or(0, span_id),
            start,
            end: start.zip(duration).and_then(|(start, duration)| start.checked_add(duration)),
            kind: self.kind.as_deref().map_or(Kind::Unspecified, Kind::parse),
            error: tags.error,
            peer,
        };
        (self.local.map(|local| local.attributes(SERVICE, "ip")).unwrap_or_default(), span)
    }
}
