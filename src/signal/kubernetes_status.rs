//! What the status of a Kubernetes object says about it: `kubectl get pods,nodes -o json`.

use std::collections::BTreeMap;

use serde_json::Value;

use diag::{Text, text};
use value::Time;

use super::kubernetes_events::Said;
use super::kubernetes_grades::{Grade, grade, is_of_node};
use super::kubernetes_objects::{Object, at, field, moment};

/// Kinds whose status is read.
const KINDS: &[&str] = &["Pod", "Node", "Job", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "PersistentVolumeClaim"];

/// Conditions of a kind, the states in which they tell of a fault, and what that is called; where nothing is given, by its own reason.
const CONDITIONS: &[(&str, &str, &[&str], &str)] = &[
    ("Pod", "PodScheduled", &["False"], ""),
    ("Node", "Ready", &["False", "Unknown"], "NodeNotReady"),
    ("Node", "MemoryPressure", &["True"], "MemoryPressure"),
    ("Node", "DiskPressure", &["True"], "DiskPressure"),
    ("Node", "PIDPressure", &["True"], "PIDPressure"),
    ("Node", "NetworkUnavailable", &["True"], "NetworkUnavailable"),
    ("Job", "Failed", &["True"], ""),
    ("Deployment", "ReplicaFailure", &["True"], ""),
    ("Deployment", "Progressing", &["False"], ""),
    ("Deployment", "Available", &["False"], ""),
    ("ReplicaSet", "ReplicaFailure", &["True"], ""),
];

/// Phases of a claim in which nothing can use its volume, and what that is called.
const CLAIMS: &[(&str, &str)] = &[("Lost", "ClaimLost"), ("Pending", "ClaimPending")];

/// Where a kind says how many pods it wants, and how many are ready. What is missing is 0; a `Deployment` says it in a condition.
const REPLICAS: &[(&str, &[&str], &str)] = &[
    ("StatefulSet", &["spec", "replicas"], "readyReplicas"),
    ("ReplicaSet", &["spec", "replicas"], "readyReplicas"),
    ("DaemonSet", &["status", "desiredNumberScheduled"], "numberReady"),
];

/// Fields that say when something was so or changed. No other time of an object is known to be past.
const MOMENTS: &[&str] = &[
    "creationTimestamp",
    "eventTime",
    "finishedAt",
    "lastHeartbeatTime",
    "lastTimestamp",
    "lastTransitionTime",
    "startTime",
    "startedAt",
    "time",
];

const CONTAINERS: &[&str] = &["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];

/// Reasons to wait that every container has.
const STARTING: &[&str] = &["ContainerCreating", "PodInitializing"];

/// The longest back-off is five minutes: a container with more restarts has crashed for more than a day.
const MANY_RESTARTS: u64 = 24 * 60 / 5;

/// The taint of a node that was cordoned.
const CORDONED: &str = "node.kubernetes.io/unschedulable";

/// The latest time in an answer: it was given then, or later.
pub(super) fn asked(value: &Value) -> Option<Time> {
    match value {
        Value::Array(items) => items.iter().filter_map(asked).max(),
        Value::Object(fields) => {
            let own = MOMENTS.iter().filter_map(|key| moment(value, &[*key])).max();
            own.max(fields.values().filter_map(asked).max())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What an object says of itself; nothing if it is well. A state without a time was so when it was `asked`.
pub(super) fn read(kind: &str, value: &Value, asked: Option<Time>) -> Vec<Result<Said, Text>> {
    if kind == "Status" {
        return vec![Err(text!("an error of the Kubernetes API: {}", field(value, "message").unwrap_or_default()))];
    }
    if !KINDS.contains(&kind) {
        return vec![Err(text!("Kubernetes objects of kind `{}` are no signals", kind))];
    }
    let Some(object) = Object::of_metadata(kind, value) else {
        return vec![Err(text!("a Kubernetes object without a name"))];
    };
    let uid = at(value, &["metadata", "uid"]).and_then(Value::as_str);
    let id = uid.map_or_else(|| format!("{kind} {}/{}", object.namespace, object.name), str::to_owned);
    let mut status = Status { object, value, id, found: Vec::new() };
    let was_ended = status.reason();
    status.conditions();
    // The containers of a pod that its machine ended, ended with it.
    if !was_ended {
        status.containers();
    }
    status.replicas(asked);
    status.claim(asked);
    status.cordon();
    status.found
}

struct Status<'v> {
    object: Object,
    value: &'v Value,
    /// Of the object, for the keys of what it says.
    id: String,
    found: Vec<Result<Said, Text>>,
}

/// One state of the object, or of a container in it.
struct State<'s> {
    /// Empty if it is the object's own.
    container: &'s str,
    reason: &'s str,
    message: String,
    time: Option<Time>,
    chronic: bool,
}

impl<'v> Status<'v> {
    fn say(&mut self, state: State<'_>) {
        let State { container, reason, message, time, chronic } = state;
        let Some(time) = time else {
            self.found.push(Err(text!("the state of a Kubernetes object without a time")));
            return;
        };
        let mut labels = BTreeMap::new();
        if !container.is_empty() {
            labels.insert("container".to_owned(), container.to_owned());
        }
        self.found.push(Ok(Said {
            // The same state in a later answer is no other.
            key: format!("{} {container} {reason} {}", self.id, time.0),
            object: self.object.clone(),
            grade: grade(&self.object.kind, reason).unwrap_or(Grade::Against),
            reason: reason.to_owned(),
            message,
            first: time,
            last: time,
            chronic,
            labels,
        }));
    }

    /// A pod that was ended says why: `Evicted`. Returns whether its machine ended it.
    fn reason(&mut self) -> bool {
        let Some(status) = self.value.get("status").filter(|_| self.object.kind == "Pod") else { return false };
        let Some(reason) = field(status, "reason") else { return false };
        let message = field(status, "message").unwrap_or_default().to_owned();
        let time = latest(self.value);
        self.say(State { container: "", reason, message, time, chronic: false });
        is_of_node(reason)
    }

    /// A workload with fewer pods ready than it wants.
    fn replicas(&mut self, asked: Option<Time>) {
        let Some((_, wanted, ready)) = REPLICAS.iter().copied().find(|(kind, ..)| *kind == self.object.kind) else { return };
        let count = |path: &[&str]| at(self.value, path).and_then(Value::as_u64);
        let (Some(wanted), Some(_)) = (count(wanted), self.value.get("status")) else { return };
        let ready = count(&["status", ready]).unwrap_or(0);
        if ready < wanted {
            let message = format!("{ready} of {wanted} ready");
            self.say(State { container: "", reason: "ReplicasUnavailable", message, time: asked, chronic: false });
        }
    }

    /// A claim without a volume.
    fn claim(&mut self, asked: Option<Time>) {
        let Some(status) = self.value.get("status").filter(|_| self.object.kind == "PersistentVolumeClaim") else { return };
        let phase = field(status, "phase").unwrap_or_default();
        if let Some((_, reason)) = CLAIMS.iter().copied().find(|(name, _)| *name == phase) {
            let message = format!("the claim is {phase}");
            self.say(State { container: "", reason, message, time: asked, chronic: false });
        }
    }

    fn conditions(&mut self) {
        for condition in list(self.value, &["status", "conditions"]) {
            let (Some(of), Some(state)) = (field(condition, "type"), field(condition, "status")) else { continue };
            let kind = self.object.kind.as_str();
            let bad = CONDITIONS.iter().find(|(on, name, states, _)| *on == kind && *name == of && states.contains(&state));
            let Some((_, _, _, called)) = bad else { continue };
            let reason = if called.is_empty() { field(condition, "reason").unwrap_or(of) } else { *called };
            let message = field(condition, "message").unwrap_or_default().to_owned();
            let time = moment(condition, &["lastTransitionTime"]).or_else(|| latest(self.value));
            self.say(State { container: "", reason, message, time, chronic: false });
        }
    }

    fn containers(&mut self) {
        let value = self.value;
        for container in CONTAINERS.iter().flat_map(|key| list(value, &["status", *key])) {
            let restarts = container.get("restartCount").and_then(Value::as_u64).unwrap_or(0);
            let chronic = restarts > MANY_RESTARTS;
            self.waiting(container, chronic);
            self.ended(container, "state", chronic);
            self.ended(container, "lastState", chronic);
        }
    }

    /// Why a container does not start. The state has no time: since it ended last, or since the pod changed.
    fn waiting(&mut self, container: &'v Value, chronic: bool) {
        let Some(waiting) = at(container, &["state", "waiting"]) else { return };
        let Some(reason) = field(waiting, "reason").filter(|reason| !STARTING.contains(reason)) else { return };
        let name = field(container, "name").unwrap_or_default();
        let message = about(name, field(waiting, "message"));
        let time = moment(container, &["lastState", "terminated", "finishedAt"]).or_else(|| latest(self.value));
        self.say(State { container: name, reason, message, time, chronic });
    }

    /// How a container ended, unless it simply was done.
    fn ended(&mut self, container: &'v Value, state: &str, chronic: bool) {
        let Some(ended) = at(container, &[state, "terminated"]) else { return };
        let code = ended.get("exitCode").and_then(Value::as_i64);
        let reason = field(ended, "reason").filter(|reason| *reason != "Completed").unwrap_or("Error");
        if code == Some(0) && reason != "OOMKilled" {
            return;
        }
        let name = field(container, "name").unwrap_or_default();
        let exit = code.map_or_else(String::new, |code| format!(" ended with exit code {code}"));
        let message = about(&format!("{name}{exit}"), field(ended, "message"));
        let time = moment(ended, &["finishedAt"]).or_else(|| latest(self.value));
        self.say(State { container: name, reason, message, time, chronic });
    }

    /// A node that takes no more pods, as somebody wanted.
    fn cordon(&mut self) {
        if at(self.value, &["spec", "unschedulable"]).and_then(Value::as_bool) != Some(true) {
            return;
        }
        let taint = list(self.value, &["spec", "taints"]).iter().find(|taint| field(taint, "key") == Some(CORDONED));
        let time = taint.and_then(|taint| moment(taint, &["timeAdded"]));
        let message = "the node is cordoned".to_owned();
        self.say(State { container: "", reason: "NodeNotSchedulable", message, time, chronic: false });
    }
}

/// A container and what is said of it.
fn about(container: &str, message: Option<&str>) -> String {
    message.map_or_else(|| format!("container {container}"), |message| format!("container {container}: {message}"))
}

/// When the object last changed.
fn latest(value: &Value) -> Option<Time> {
    let changes = list(value, &["status", "conditions"]).iter().filter_map(|condition| moment(condition, &["lastTransitionTime"]));
    let started = || moment(value, &["status", "startTime"]);
    changes.max().or_else(started).or_else(|| moment(value, &["metadata", "creationTimestamp"]))
}

fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
