use super::{check_error, estate, facts_by};

const FILE: &str = "events.ndjson";

/// Log lines with their levels, changes, and what could not be read, one a line.
fn said(input: &str) -> String {
    said_by("", input)
}

/// With this `sources.yaml`.
fn said_by(sources: &str, input: &str) -> String {
    let estate = estate();
    let (facts, _, _) = facts_by(sources, &[(FILE, input)]);
    let place = |component: Option<estate::ComponentId>| component.map_or("?", |c| estate.component(c).id.as_str());
    let logs = facts
        .logs
        .iter()
        .map(|line| format!("{} {} {} {}", line.level().unwrap_or("-"), place(line.component), line.time.clock(), line.text));
    let changes = facts
        .changes
        .iter()
        .map(|change| format!("change {} {} {}", place(change.component), change.time.clock(), change.text.replace('\n', " | ")));
    let unread = facts.unread.iter().map(|unread| format!("unread {} {}", unread.origin.index, unread.reason));
    logs.chain(changes).chain(unread).collect::<Vec<String>>().join("\n")
}

fn check(input: &str, expected: &[&str]) {
    assert_eq!(said(input), expected.join("\n"), "{input}");
}

/// An event of the older API on a pod in `shop`, from 09:54:00 to 09:59:40; `more` begins with a comma.
fn event(pod: &str, reason: &str, more: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Event","involvedObject":{{"kind":"Pod","namespace":"shop","name":"{pod}"}},"reason":"{reason}","message":"m","firstTimestamp":"2025-06-01T09:54:00Z","lastTimestamp":"2025-06-01T09:59:40Z"{more}}}"#
    )
}

#[test]
fn an_event_is_placed_by_its_object() {
    for (pod, place) in [
        ("cart-0", "shop/cart-0"),
        ("order-db-0", "order-db"),
        ("order-service-7d9c4b6f8c-x2v7k", "order-service"),
        ("order-service-x2v7k", "order-service"),
        // A run of a CronJob.
        ("order-db-29384400-x2v7k", "order-db"),
        ("nobody-0", "?"),
    ] {
        let (first, last) = (format!("error {place} 09:54:00 BackOff: m"), format!("error {place} 09:59:40 BackOff: m"));
        check(&event(pod, "BackOff", r#","count":23"#), &[&first, &last]);
    }
    let of = |kind: &str, name: &str| event("cart-0", "FailedMount", "").replace("\"Pod\"", &format!("\"{kind}\"")).replace("cart-0", name);
    for (kind, name) in [
        ("Node", "order-db"),
        ("Node", "10.0.0.1"),
        ("StatefulSet", "order-db"),
        ("ReplicaSet", "order-db-7d9c4b6f8c"),
        ("Job", "order-db-29384400"),
        ("PersistentVolumeClaim", "data-order-db-0"),
    ] {
        check(&of(kind, name), &["error order-db 09:54:00 FailedMount: m", "error order-db 09:59:40 FailedMount: m"]);
    }
}

#[test]
fn entries_of_placement_come_before_the_object() {
    for (entry, reason, expected) in [
        ("{drop: true, when: {namespace: shop}}", "BackOff", "?"),
        ("{drop: true, when: {source: kubernetes, reason: Back*}}", "BackOff", "?"),
        ("{drop: true, when: {kind: Pod, name: 'cart-*'}}", "BackOff", "?"),
        ("{drop: true, when: {kind: Node}}", "BackOff", "shop/cart-0"),
        ("{label: reason, by: [serial]}", "S-1", "order-service"),
        // An entry that finds nothing leaves it to the object.
        ("{label: reason, by: [serial]}", "BackOff", "shop/cart-0"),
    ] {
        let text = said_by(&format!("placement: [{entry}]"), &event("cart-0", reason, ""));
        let places: Vec<&str> = text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(places, [expected, expected], "{entry}");
    }
}

#[test]
fn reasons_have_grades() {
    let once = |reason: &str, more: &str| event("cart-0", reason, more).replace("09:54:00", "09:59:40");
    for (reason, level) in [
        ("OOMKilling", "error"),
        ("FailedScheduling", "error"),
        ("ErrImagePull", "error"),
        ("Evicted", "error"),
        ("Unhealthy", "warning"),
        ("FailedGetResourceMetric", "warning"),
        // A node that is not ready is told to each of its pods.
        ("NodeNotReady", "warning"),
        ("Pulled", "info"),
        ("Something", "info"),
    ] {
        check(&once(reason, ""), &[&format!("{level} shop/cart-0 09:59:40 {reason}: m")]);
    }
    check(&once("Something", r#","type":"Warning""#), &["warning shop/cart-0 09:59:40 Something: m"]);
    for reason in ["ScalingReplicaSet", "Killing", "SuccessfulCreate"] {
        check(&once(reason, ""), &[&format!("change shop/cart-0 09:59:40 {reason} | m")]);
    }
}

#[test]
fn chronic_events_are_quiet() {
    let chronic = event("cart-0", "BackOff", r#","count":900"#).replace("06-01T09:54:00", "05-30T09:54:00");
    check(&chronic, &["info shop/cart-0 09:59:40 BackOff: m"]);
    // Once on each of two days is no steady count.
    check(&chronic.replace("900", "1"), &["error shop/cart-0 09:54:00 BackOff: m", "error shop/cart-0 09:59:40 BackOff: m"]);
}

#[test]
fn one_event_again_is_an_update() {
    let uid = |last: &str| event("cart-0", "BackOff", r#","metadata":{"uid":"u-1"}"#).replace("09:59:40", last);
    let expected = &["error shop/cart-0 09:54:00 BackOff: m", "error shop/cart-0 09:59:59 BackOff: m"];
    check(&format!("{}\n{}", uid("09:58:00"), uid("09:59:59")), expected);
    check(&format!("{}\n{}", uid("09:59:59"), uid("09:58:00")), expected);
}

#[test]
fn lists_and_the_newer_api() {
    let newer = r#"{"apiVersion":"events.k8s.io/v1","kind":"EventList","items":[
        {"metadata":{"name":"a","namespace":"shop"},"regarding":{"kind":"Pod","namespace":"shop","name":"cart-0"},"reason":"OOMKilled",
         "note":"n","type":"Warning","eventTime":"2025-06-01T09:54:00.000000Z","deprecatedFirstTimestamp":null,
         "series":{"count":3,"lastObservedTime":"2025-06-01T09:55:00.000000Z"}},
        {"regarding":{"kind":"Pod","name":"cart-0"},"reason":"OOMKilled"},
        {"regarding":{"kind":"Pod"},"reason":"OOMKilled"}
    ]}"#;
    let expected = &[
        "error shop/cart-0 09:54:00 OOMKilled: n",
        "error shop/cart-0 09:55:00 OOMKilled: n",
        "unread 1 event: a Kubernetes event without a time, Pod cart-0",
        "unread 2 event: a Kubernetes event about an object without a name",
    ];
    check(newer, expected);
    // Beside other entries, the entry is what is numbered.
    let line = newer.replace('\n', "");
    let expected = &[
        "error shop/cart-0 09:54:00 OOMKilled: n",
        "error shop/cart-0 09:55:00 OOMKilled: n",
        "unread 0 event: a Kubernetes event about an object without a name",
        "unread 1 event: a Kubernetes event without a time, Pod cart-0",
        "unread 1 event: a Kubernetes event about an object without a name",
    ];
    check(&format!("{}\n{line}", r#"{"regarding":{"kind":"Pod"},"reason":"OOMKilled"}"#), expected);
    let one = event("cart-0", "BackOff", "").replace("09:54:00", "09:59:40");
    check(&format!(r#"{{"apiVersion":"v1","kind":"List","items":[{one}]}}"#), &["error shop/cart-0 09:59:40 BackOff: m"]);
    check(&format!(r#"{{"type":"ADDED","object":{one}}}"#), &["error shop/cart-0 09:59:40 BackOff: m"]);
    check(r#"{"apiVersion":"v1","kind":"List","items":[]}"#, &[]);
    check_error(FILE, r#"{"apiVersion":"v1","kind":"List","items":["#, "F4001", "`events.ndjson` line 1 column ");
}

#[test]
fn an_event_within_a_cloud_event() {
    let of = |of_type: &str, data: &str| {
        format!(r#"{{"specversion":"1.0","id":"1","source":"/k","type":"{of_type}","time":"2025-06-01T10:00:00Z","data":{data}}}"#)
    };
    let one = event("cart-0", "BackOff", "").replace("09:54:00", "09:59:40");
    check(&of("dev.knative.apiserver.resource.add", &one), &["error shop/cart-0 09:59:40 BackOff: m"]);
    check(&format!("{0}\n{0}", of("any", &one)), &["error shop/cart-0 09:59:40 BackOff: m"]);
    // Without a time of its own.
    let bare = r#"{"involvedObject":{"kind":"Pod","namespace":"shop","name":"cart-0"},"reason":"BackOff"}"#;
    check(&of("any", bare), &["error shop/cart-0 10:00:00 BackOff"]);
}

#[test]
fn what_pods_say() {
    let pod = |status: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"cart-0","namespace":"shop"}},"status":{{"startTime":"2025-06-01T08:00:00Z",{status}}}}}"#
        )
    };
    let container = |state: &str| pod(&format!(r#""containerStatuses":[{{"name":"c","restartCount":3,{state}}}]"#));
    let ended = |reason: &str, code: u8| {
        format!(r#"{{"terminated":{{"reason":"{reason}","exitCode":{code},"finishedAt":"2025-06-01T09:50:00Z"}}}}"#)
    };
    let waits = |reason: &str| container(&format!(r#""state":{{"waiting":{{"reason":"{reason}"}}}}"#));
    check(&waits("ImagePullBackOff"), &["error shop/cart-0 08:00:00 ImagePullBackOff: container c"]);
    check(&waits("ContainerCreating"), &[]);
    check(&container(&format!(r#""state":{}"#, ended("Completed", 0))), &[]);
    let oom = ["error shop/cart-0 09:50:00 OOMKilled: container c ended with exit code 137"];
    check(&container(&format!(r#""lastState":{}"#, ended("OOMKilled", 137))), &oom);
    let looping = container(&format!(r#""state":{{"waiting":{{"reason":"CrashLoopBackOff"}}}},"lastState":{}"#, ended("Error", 1)));
    let lines = |level: &str| {
        format!(
            "{level} shop/cart-0 09:50:00 CrashLoopBackOff: container c\nerror shop/cart-0 09:50:00 Error: container c ended with exit code 1"
        )
    };
    assert_eq!(said(&looping), lines("error"));
    // Of a loop that has been there for long, the last end is no news either; one that began now is, whatever happened once.
    let chronic =
        "info shop/cart-0 09:50:00 CrashLoopBackOff: container c\ninfo shop/cart-0 09:50:00 Error: container c ended with exit code 1";
    assert_eq!(said(&looping.replace("\"restartCount\":3", "\"restartCount\":9000")), chronic);
    assert_eq!(said(&looping.replace("\"restartCount\":3", "\"restartCount\":2")), lines("error"));
    let oom_again =
        container(&format!(r#""lastState":{}"#, ended("OOMKilled", 137))).replace("\"restartCount\":3", "\"restartCount\":9000");
    check(&oom_again, &["info shop/cart-0 09:50:00 OOMKilled: container c ended with exit code 137"]);
    let unscheduled = r#""conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes","lastTransitionTime":"2025-06-01T09:00:00Z"}]"#;
    check(&pod(unscheduled), &["error shop/cart-0 09:00:00 Unschedulable: 0/3 nodes"]);
    let evicted = r#""phase":"Failed","reason":"Evicted","message":"low on memory""#;
    check(&pod(evicted), &["error shop/cart-0 08:00:00 Evicted: low on memory"]);
    // Its containers ended with it.
    let with_containers = format!(r#"{evicted},"containerStatuses":[{{"name":"c","state":{}}}]"#, ended("Error", 137));
    check(&pod(&with_containers), &["error shop/cart-0 08:00:00 Evicted: low on memory"]);
}

#[test]
fn what_workloads_and_claims_say() {
    let of = |kind: &str, spec: &str, status: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"{kind}","metadata":{{"name":"order-db","creationTimestamp":"2025-06-01T08:00:00Z"}},"spec":{{{spec}}},"status":{status}}}"#
        )
    };
    for (kind, spec, status, expected) in [
        ("StatefulSet", r#""replicas":3"#, r#"{"replicas":3,"readyReplicas":2}"#, Some("warning ReplicasUnavailable: 2 of 3 ready")),
        ("StatefulSet", r#""replicas":1"#, r#"{"replicas":1}"#, Some("warning ReplicasUnavailable: 0 of 1 ready")),
        ("StatefulSet", r#""replicas":3"#, r#"{"replicas":3,"readyReplicas":3}"#, None),
        // Scaled down on purpose, as the older sets of a Deployment are.
        ("ReplicaSet", r#""replicas":0"#, r#"{"replicas":0}"#, None),
        ("ReplicaSet", r#""replicas":2"#, r#"{"replicas":2,"readyReplicas":1}"#, Some("warning ReplicasUnavailable: 1 of 2 ready")),
        ("DaemonSet", "", r#"{"desiredNumberScheduled":4,"numberReady":3}"#, Some("warning ReplicasUnavailable: 3 of 4 ready")),
        ("DaemonSet", "", r#"{"desiredNumberScheduled":4,"numberReady":4}"#, None),
        ("PersistentVolumeClaim", "", r#"{"phase":"Lost"}"#, Some("error ClaimLost: the claim is Lost")),
        ("PersistentVolumeClaim", "", r#"{"phase":"Pending"}"#, Some("warning ClaimPending: the claim is Pending")),
        ("PersistentVolumeClaim", "", r#"{"phase":"Bound"}"#, None),
    ] {
        let lines = expected.map(|said| said.replacen(' ', " order-db 08:00:00 ", 1));
        check(&of(kind, spec, status), &lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let condition = |of_type: &str, state: &str, reason: &str| {
        format!(
            r#"{{"conditions":[{{"type":"{of_type}","status":"{state}","reason":"{reason}","message":"m","lastTransitionTime":"2025-06-01T09:00:00Z"}}]}}"#
        )
    };
    let unavailable = condition("Available", "False", "MinimumReplicasUnavailable");
    check(&of("Deployment", "", &unavailable), &["warning order-db 09:00:00 MinimumReplicasUnavailable: m"]);
    check(&of("Deployment", "", &condition("Available", "True", "MinimumReplicasAvailable")), &[]);
    let stuck = condition("Progressing", "False", "ProgressDeadlineExceeded");
    check(&of("Deployment", "", &stuck), &["error order-db 09:00:00 ProgressDeadlineExceeded: m"]);
    let refused = condition("ReplicaFailure", "True", "FailedCreate");
    check(&of("ReplicaSet", r#""replicas":0"#, &refused), &["error order-db 09:00:00 FailedCreate: m"]);
    // What has no time was so when the list was asked for: at the latest time in it.
    let (set, node) = (
        of("StatefulSet", r#""replicas":1"#, r#"{"replicas":1}"#),
        r#"{"kind":"Node","metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"2025-06-01T09:58:00Z"}]}}"#,
    );
    let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{set},{node}]}}"#);
    check(&list, &["warning order-db 09:58:00 ReplicasUnavailable: 0 of 1 ready"]);
    // Without any, the item is said.
    let list = r#"{"apiVersion":"v1","kind":"List","items":[{"kind":"Node","metadata":{"name":"n"}},
        {"kind":"StatefulSet","metadata":{"name":"order-db","namespace":"shop"},"spec":{"replicas":1},"status":{"replicas":1}}]}"#;
    check(list, &["unread 1 event: the state of a Kubernetes object without a time, StatefulSet shop/order-db"]);
}

#[test]
fn what_nodes_say() {
    let node = |of_type: &str, status: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"order-db"}},"spec":{{"unschedulable":true,"taints":[{{"key":"node.kubernetes.io/unschedulable","timeAdded":"2025-06-01T09:00:00Z"}}]}},"status":{{"conditions":[{{"type":"{of_type}","status":"{status}","message":"m","lastTransitionTime":"2025-06-01T09:30:00Z"}}]}}}}"#
        )
    };
    let cordoned = "change order-db 09:00:00 NodeNotSchedulable | the node is cordoned";
    for (of_type, status, reason) in
        [("Ready", "Unknown", "NodeNotReady"), ("Ready", "False", "NodeNotReady"), ("DiskPressure", "True", "DiskPressure")]
    {
        check(&node(of_type, status), &[&format!("error order-db 09:30:00 {reason}: m"), cordoned]);
    }
    check(&node("Ready", "True"), &[cordoned]);
    check(&node("MemoryPressure", "False"), &[cordoned]);
    let service = r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"order-db"}}"#;
    check(service, &["unread 0 event: Kubernetes objects of kind `Service` are no signals, Service order-db"]);
}
