//! What a reason of Kubernetes means for the object that it is said of.

/// How much a reason speaks against its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    /// The object itself has a fault: as good as an error line of its own.
    Against,
    /// Often the effect of a fault elsewhere.
    Effect,
    /// Somebody or a controller changed something.
    Change,
    /// The usual course of things.
    Quiet,
}

impl Grade {
    /// The level of the log line that is made of it.
    pub fn level(self) -> &'static str {
        match self {
            Grade::Against => "error",
            Grade::Effect => "warning",
            Grade::Change | Grade::Quiet => "info",
        }
    }
}

/// Reasons that mean something else for one kind of object: a node is not ready, and each of its pods is told so; a schedule makes jobs.
const OF_KIND: &[(&str, &str, Grade)] = &[
    ("Pod", "NodeNotReady", Grade::Effect),
    ("CronJob", "SuccessfulCreate", Grade::Quiet),
    ("CronJob", "SuccessfulDelete", Grade::Quiet),
    ("Job", "SuccessfulCreate", Grade::Quiet),
    ("Job", "SuccessfulDelete", Grade::Quiet),
];

/// The grades of reasons, the first that fits: one that ends in `*` is a beginning. All others: warnings are effects, the rest is quiet.
const GRADES: &[(&str, Grade)] = &[
    // Of autoscalers, endpoints and hooks: nothing else fails of it.
    ("FailedGet*", Grade::Effect),
    ("FailedCompute*", Grade::Effect),
    ("FailedToUpdateEndpoint*", Grade::Effect),
    ("FailedPreStopHook", Grade::Effect),
    ("FailedKillPod", Grade::Effect),
    ("Failed*", Grade::Against),
    // Containers and images.
    ("OOMKilled", Grade::Against),
    ("OOMKilling", Grade::Against),
    ("SystemOOM", Grade::Against),
    ("BackOff", Grade::Against),
    ("CrashLoopBackOff", Grade::Against),
    ("ImagePullBackOff", Grade::Against),
    ("ErrImage*", Grade::Against),
    ("ImageInspectError", Grade::Against),
    ("InspectFailed", Grade::Against),
    ("InvalidImageName", Grade::Against),
    ("RegistryUnavailable", Grade::Against),
    ("CreateContainer*", Grade::Against),
    ("RunContainerError", Grade::Against),
    ("ContainerCannotRun", Grade::Against),
    ("StartError", Grade::Against),
    ("Error", Grade::Against),
    ("DeadlineExceeded", Grade::Against),
    ("BackoffLimitExceeded", Grade::Against),
    ("ProgressDeadlineExceeded", Grade::Against),
    // Places and volumes.
    ("Evicted", Grade::Against),
    ("Preempted", Grade::Against),
    ("Preempting", Grade::Against),
    ("Unschedulable", Grade::Against),
    ("OutOf*", Grade::Against),
    ("ProvisioningFailed", Grade::Against),
    ("VolumeResizeFailed", Grade::Against),
    ("ClaimLost", Grade::Against),
    ("FileSystemResizeFailed", Grade::Against),
    ("SchedulingGated", Grade::Quiet),
    // Nodes.
    ("NodeNotReady", Grade::Against),
    ("NodeStatusUnknown", Grade::Against),
    ("KubeletNotReady", Grade::Against),
    ("NetworkNotReady", Grade::Against),
    ("NetworkUnavailable", Grade::Against),
    ("ContainerRuntimeNotReady", Grade::Against),
    ("MemoryPressure", Grade::Against),
    ("DiskPressure", Grade::Against),
    ("PIDPressure", Grade::Against),
    ("NodeHasMemoryPressure", Grade::Against),
    ("NodeHasDiskPressure", Grade::Against),
    ("NodeHasPIDPressure", Grade::Against),
    ("NodeHasInsufficient*", Grade::Against),
    ("EvictionThresholdMet", Grade::Against),
    ("FreeDiskSpaceFailed", Grade::Against),
    ("ImageGCFailed", Grade::Against),
    ("ContainerGCFailed", Grade::Against),
    ("Rebooted", Grade::Against),
    ("NodeShutdown", Grade::Against),
    ("KernelOops", Grade::Against),
    ("KernelDeadlock", Grade::Against),
    ("ReadonlyFilesystem", Grade::Against),
    ("TaskHung", Grade::Against),
    // A node that just started says so, whatever its disk.
    ("InvalidDiskCapacity", Grade::Quiet),
    // Effects.
    ("Unhealthy", Grade::Effect),
    ("ProbeWarning", Grade::Effect),
    ("MinimumReplicasUnavailable", Grade::Effect),
    ("ReplicasUnavailable", Grade::Effect),
    // One that waits for its first pod is well.
    ("ClaimPending", Grade::Effect),
    ("NodeLost", Grade::Effect),
    ("TaintManagerEviction", Grade::Effect),
    ("SandboxChanged", Grade::Effect),
    ("NotTriggerScaleUp", Grade::Effect),
    ("ExceededGracePeriod", Grade::Effect),
    // Resolvers and names that work all the same.
    ("DNSConfigForming", Grade::Quiet),
    // Changes.
    ("ScalingReplicaSet", Grade::Change),
    ("SuccessfulRescale", Grade::Change),
    ("SuccessfulCreate", Grade::Change),
    ("SuccessfulDelete", Grade::Change),
    ("Killing", Grade::Change),
    ("DeploymentRollback", Grade::Change),
    ("NodeNotSchedulable", Grade::Change),
    ("NodeSchedulable", Grade::Change),
    ("RemovingNode", Grade::Change),
    ("TriggeredScaleUp", Grade::Change),
    ("ScaleDown", Grade::Change),
];

/// Reasons that a pod has because of the machine that it was on.
const OF_NODE: &[&str] = &["Evicted", "NodeLost", "NodeNotReady", "NodeShutdown", "OOMKilling", "OutOf*", "SystemOOM"];

/// Whether a reason of a pod is about its machine.
pub(super) fn is_of_node(reason: &str) -> bool {
    OF_NODE.iter().any(|pattern| fits(pattern, reason))
}

/// Whether it is that reason; a pattern that ends in `*` is a beginning.
fn fits(pattern: &str, reason: &str) -> bool {
    pattern.strip_suffix('*').map_or(reason == pattern, |beginning| reason.starts_with(beginning))
}

/// The grade of a reason; `None` if nothing is known about it.
pub(super) fn grade(kind: &str, reason: &str) -> Option<Grade> {
    let of_kind = OF_KIND.iter().find(|(of, name, _)| *of == kind && *name == reason).map(|(_, _, grade)| *grade);
    of_kind.or_else(|| GRADES.iter().find(|(pattern, _)| fits(pattern, reason)).map(|(_, grade)| *grade))
}

/// Reasons of the usual course of things, and full names of what [`GRADES`] grades by its beginning.
const NAMES: &[&str] = &[
    "Completed",
    "Created",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "FailedAttachVolume",
    "FailedBinding",
    "FailedComputeMetricsReplicas",
    "FailedCreate",
    "FailedCreatePodContainer",
    "FailedCreatePodSandBox",
    "FailedDaemonPod",
    "FailedDelete",
    "FailedGetResourceMetric",
    "FailedGetScale",
    "FailedMapVolume",
    "FailedMount",
    "FailedNodeAllocatableEnforcement",
    "FailedPodSandBoxStatus",
    "FailedPostStartHook",
    "FailedRescale",
    "FailedScheduling",
    "FailedSync",
    "FailedToRetrieveImagePullSecret",
    "FailedToUpdateEndpoint",
    "FailedToUpdateEndpointSlices",
    "FailedUpdateStatus",
    "FailedValidation",
    "LeaderElection",
    "NodeAllocatableEnforced",
    "NodeHasInsufficientMemory",
    "NodeHasInsufficientPID",
    "NodeHasNoDiskPressure",
    "NodeHasSufficientMemory",
    "NodeHasSufficientPID",
    "NodeReady",
    "NoPods",
    "OutOfcpu",
    "OutOfmemory",
    "OutOfpods",
    "ProvisioningSucceeded",
    "Pulled",
    "Pulling",
    "RegisteredNode",
    "SawCompletedJob",
    "Scheduled",
    "Started",
    "Starting",
    "SuccessfulAttachVolume",
    "SuccessfulMountVolume",
    "SyncLoadBalancerFailed",
    "WaitForFirstConsumer",
];

/// The reasons that Kubernetes is known to give.
pub fn known_reasons() -> impl Iterator<Item = &'static str> {
    let graded = GRADES.iter().map(|(reason, _)| *reason).filter(|reason| !reason.ends_with('*'));
    graded.chain(["Failed"]).chain(NAMES.iter().copied())
}

/// Whether a reason is graded by its beginning.
pub fn begins_known(reason: &str) -> bool {
    GRADES.iter().any(|(pattern, _)| pattern.strip_suffix('*').is_some_and(|beginning| reason.starts_with(beginning)))
}
