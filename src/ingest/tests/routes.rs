//! Paths, content types and compressions, and what is made of them.

use crate::route;

/// Protocol and compression, or why not.
fn shown(path: &str, content_type: &str, encoding: &str) -> String {
    let given = |header: &str| if header.is_empty() { None } else { Some(header.to_owned()) };
    match route(path, given(content_type).as_deref(), given(encoding).as_deref()) {
        None => "none".to_owned(),
        Some(Ok(route)) => format!("{:?} {:?}", route.protocol, route.encoding),
        Some(Err(refusal)) => format!("{:?} {}", refusal.why, refusal.message),
    }
}

#[test]
fn requests_find_their_protocol() {
    for (path, content_type, encoding, expected) in [
        ("/api/v2/alerts", "application/json", "", "Alerts Identity"),
        ("/api/v2/alerts", "", "gzip", "Alerts Gzip"),
        ("/api/v2/alerts", "application/x-protobuf", "", "Unsupported the content type `application/x-protobuf` is not taken here"),
        ("/api/v2/alerts/", "application/json", "", "none"),
        ("/api/v1/ingest/alertmanager", "application/json; charset=utf-8", "", "Webhook Identity"),
        ("/api/v1/write", "application/x-protobuf", "snappy", "RemoteWrite1 Snappy"),
        ("/api/v1/write", "application/x-protobuf", "", "RemoteWrite1 Snappy"),
        ("/api/v1/write", "application/x-protobuf;proto=prometheus.WriteRequest", "snappy", "RemoteWrite1 Snappy"),
        ("/api/v1/write", "application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy", "RemoteWrite2 Snappy"),
        (
            "/api/v1/write",
            "application/x-protobuf;proto=io.prometheus.write.v3.Request",
            "snappy",
            "Unsupported the content type `application/x-protobuf;proto=io.prometheus.write.v3.Request` is not taken here",
        ),
        ("/api/v1/write", "application/x-protobuf", "zstd", "Unsupported the compression `zstd` is not taken here"),
        ("/api/v1/write", "application/json", "", "Unsupported the content type `application/json` is not taken here"),
        ("/v1/metrics", "text/html; proto=foo.Bar", "", "Unsupported the content type `text/html;proto=foo.Bar` is not taken here"),
        ("/loki/api/v1/push", "application/json", "gzip", "LokiJson Gzip"),
        ("/loki/api/v1/push", "application/x-protobuf", "", "LokiProtobuf Snappy"),
        ("/v1/metrics", "application/x-protobuf", "gzip", "OtlpMetrics(Protobuf) Gzip"),
        ("/v1/logs", "Application/JSON", "", "OtlpLogs(Json) Identity"),
        ("/v1/traces", "", "", "Unsupported the content type `` is not taken here"),
        ("/api/v1/ingest/zabbix", "application/json", "", "Zabbix Identity"),
        ("/api/v1/ingest/cloudevents", "application/cloudevents+json", "", "CloudEvents Identity"),
        ("/api/v1/ingest/cloudevents", "application/cloudevents-batch+json", "", "CloudEventsBatch Identity"),
        ("/api/v1/ingest/kubernetes", "application/x-ndjson", "", "KubernetesEvents Identity"),
        ("/api/v1/scores", "application/json", "identity", "Scores Identity"),
        ("/api/v1/diagnose", "application/json", "", "none"),
    ] {
        assert_eq!(shown(path, content_type, encoding), expected, "{path} {content_type} {encoding}");
    }
}
