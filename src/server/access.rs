//! Who may do what: every route with the role that it needs. What is not in the table needs the highest one, so that a route that
//! somebody forgets is closed.

use super::tokens::Role;

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Changes nothing.
    Ask,
    /// Brings signals: counted in the audit, not listed.
    Send,
    /// Changes something: a line in the audit.
    Write,
}

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// `None`: anybody may, even without a token.
    pub role: Option<Role>,
    pub does: Does,
}

const OPEN: Access = Access { role: None, does: Does::Ask };
const ASK: Access = Access { role: Some(Role::Viewer), does: Does::Ask };
const SEND: Access = Access { role: Some(Role::Ingest), does: Does::Send };
const RESPOND: Access = Access { role: Some(Role::Responder), does: Does::Write };
const AUTHOR: Access = Access { role: Some(Role::Author), does: Does::Write };

/// Method and path, as the router knows it.
pub const ROUTES: &[(&str, &str, Access)] = &[
    // Probes have no token.
    ("GET", "/healthz", OPEN),
    ("GET", "/-/healthy", OPEN),
    ("GET", "/-/ready", OPEN),
    ("GET", "/metrics", ASK),
    ("GET", "/api/v1", ASK),
    ("GET", "/api/v1/diagnosis", ASK),
    ("GET", "/api/v1/incidents", ASK),
    ("GET", "/api/v1/incidents/{id}", ASK),
    ("GET", "/api/v1/events", ASK),
    ("GET", "/api/v1/openapi.json", ASK),
    ("GET", "/api/v1/why", ASK),
    ("GET", "/api/v1/impact", ASK),
    ("GET", "/api/v1/estate", ASK),
    ("GET", "/api/v1/estate/{*id}", ASK),
    ("GET", "/api/v1/rules", ASK),
    ("GET", "/api/v1/cases", ASK),
    ("GET", "/api/v1/signals", ASK),
    ("GET", "/api/v1/coverage", ASK),
    ("GET", "/api/v1/notifications", ASK),
    ("GET", "/api/v1/scores", ASK),
    ("GET", "/api/v1/predict", ASK),
    ("GET", "/api/v2/status", ASK),
    ("GET", "/api/v2/alerts", ASK),
    ("GET", "/api/v2/alerts/groups", ASK),
    ("GET", "/api/v2/receivers", ASK),
    ("GET", "/api/v2/silences", ASK),
    // These answer a question that is too long for an address.
    ("POST", "/api/v1/predict", ASK),
    ("POST", "/api/v1/diagnose", ASK),
    ("POST", "/api/v1/change", ASK),
    ("POST", "/api/v1/incidents/{id}/{action}", RESPOND),
    ("POST", "/-/reload", AUTHOR),
];

/// What a request needs whose path the router knows.
pub fn of(method: &str, path: &str) -> Access {
    // The router answers HEAD by GET.
    let method = if method == "HEAD" { "GET" } else { method };
    if method == "POST" && ingest::PATHS.iter().any(|(known, _)| *known == path) {
        return SEND;
    }
    let found = ROUTES.iter().find(|(known, route, _)| *known == method && *route == path);
    let does = if is_safe(method) { Does::Ask } else { Does::Write };
    found.map_or(Access { role: Some(Role::Admin), does }, |(_, _, access)| *access)
}

/// Whether a path is known, but not with this method. No role helps then.
pub fn is_other_method(method: &str, path: &str) -> bool {
    let method = if method == "HEAD" { "GET" } else { method };
    let senders = ingest::PATHS.iter().map(|(known, _)| ("POST", *known));
    let mut of_path = ROUTES.iter().map(|(known, route, _)| (*known, *route)).chain(senders).filter(|(_, route)| *route == path).peekable();
    of_path.peek().is_some() && of_path.all(|(known, _)| known != method)
}

/// Whether a method only reads.
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

#[cfg(test)]
mod tests {
    use super::{Does, ROUTES, is_other_method, of};
    use crate::tokens::Role;

    /// The sources in which routes are made.
    const MADE_IN: &[&str] = &[include_str!("lib.rs")];

    #[test]
    fn every_route_has_its_role() {
        for source in MADE_IN {
            let paths = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
            let missing: Vec<&str> = paths.filter(|path| !ROUTES.iter().any(|(_, known, _)| known == path)).collect();
            assert!(missing.is_empty(), "give these routes a role in access.rs, or they need `admin`: {missing:?}");
        }
    }

    #[test]
    fn what_nobody_thought_of_is_closed() {
        assert_eq!(of("GET", "/api/v1/new").role, Some(Role::Admin));
        assert_eq!((of("DELETE", "/api/v1/incidents").role, of("DELETE", "/api/v1/incidents").does), (Some(Role::Admin), Does::Write));
        assert_eq!(of("HEAD", "/api/v1/incidents"), of("GET", "/api/v1/incidents"));
        assert_eq!((of("POST", "/api/v1/scores").does, of("GET", "/api/v1/scores").does), (Does::Send, Does::Ask));
    }

    #[test]
    fn a_wrong_method_is_no_matter_of_roles() {
        for (method, path, expected) in [
            ("GET", "/loki/api/v1/push", true),
            ("PUT", "/api/v2/alerts", true),
            ("GET", "/-/reload", true),
            ("DELETE", "/api/v1/incidents", true),
            ("HEAD", "/api/v1/incidents", false),
            ("GET", "/api/v2/alerts", false),
            ("POST", "/api/v2/alerts", false),
            // A route that somebody forgot stays closed.
            ("GET", "/api/v1/new", false),
        ] {
            assert_eq!(is_other_method(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn no_write_is_open_and_no_read_is_listed() {
        for (method, path, access) in ROUTES {
            assert!(access.role.is_some() || access.does == Does::Ask, "{method} {path}");
            assert!(*method != "GET" || access.does == Does::Ask, "{method} {path}");
        }
    }
}
