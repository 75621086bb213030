//! Attempts, updates and restarts.

use std::sync::Arc;
use std::time::{Duration as Wait, Instant};

use live::What;
use serde_json::Value;

use super::servers::{Received, Reply, http, reply};
use super::{Told, settings, until};
use crate::notifier::backoff;
use crate::{Attempts, Delivery, Notifier, Outcome, State};

fn hook(address: &str, more: &str) -> String {
    format!("{more}\nchannels:\n  hook: {{kind: webhook, url: \"{address}/hook\"}}\nroutes:\n  - to: hook\n")
}

fn start(text: &str, told: &Arc<Told>, folder: &tempfile::TempDir) -> Notifier {
    Notifier::start(settings(text), Arc::clone(told) as Arc<dyn crate::Source>, folder.path()).unwrap().0
}

fn count(received: &Received) -> usize {
    received.lock().unwrap().len()
}

fn is_quiet(state: &State) -> bool {
    state.channels.iter().all(|channel| channel.pending.is_empty())
}

#[test]
fn it_is_tried_until_it_arrives() {
    let busy = Reply { headers: "retry-after: 60\r\n", ..reply(429, "slow down") };
    let (address, received) = http(vec![reply(500, "broken"), busy, reply(200, "ok")]);
    let (told, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    told.tell(7, What::Opened);
    let notifier = start(&hook(&address, ""), &told, &folder);
    until("one failure is shown", || notifier.state().channels[0].last_failure.is_some());
    until("it arrives", || notifier.state().channels[0].last_success.is_some());
    let state = notifier.state();
    notifier.stop();
    assert_eq!((count(&received), is_quiet(&state), state.channels[0].given_up.len()), (3, true, 0));
    assert_eq!(state.channels[0].attempts, Attempts { sent: 1, failed: 2, retried: 2, given_up: 0 });
    let failure = state.channels[0].last_failure.clone().unwrap();
    assert_eq!(failure.reason, "returned status 429: slow down");
    // The channel asked for a minute.
    assert!(state.channels[0].last_success.unwrap().since(failure.at) >= 60_000);
}

#[test]
fn what_cannot_be_sent_is_given_up_and_listed() {
    let (address, received) = http(vec![reply(500, "")]);
    let (told, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    told.tell(7, What::Opened);
    let notifier = start(&hook(&address, "give_up_after: 30s"), &told, &folder);
    until("it is given up", || !notifier.state().channels[0].given_up.is_empty());
    let before = count(&received);
    notifier.stop();
    let (given_up, tried) = (notifier.state().channels[0].given_up[0].clone(), before as u64);
    assert_eq!(notifier.state().channels[0].attempts, Attempts { sent: 0, failed: tried, retried: tried - 1, given_up: 1 });
    assert_eq!((given_up.incident, given_up.outcome, given_up.reason.as_deref()), (7, Outcome::GivenUp, Some("returned status 500")));
    // Not after a restart either, until something happens.
    let notifier = start(&hook(&address, "give_up_after: 30s"), &told, &folder);
    std::thread::sleep(Wait::from_millis(700));
    assert_eq!(count(&received), before);
    told.tell(7, What::Changed);
    until("a change is tried", || count(&received) > before);
    notifier.stop();
}

#[test]
fn nothing_is_sent_twice() {
    let (address, received) = http(vec![reply(200, "")]);
    let (told, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    told.tell(7, What::Opened);
    // Over before anybody was told.
    told.tell(8, What::Opened);
    told.tell(8, What::Resolved);
    let notifier = start(&hook(&address, ""), &told, &folder);
    until("it arrives", || count(&received) == 1 && is_quiet(&notifier.state()));
    notifier.stop();
    // As if a crash had come within a line.
    let ledger = folder.path().join("notified.ndjson");
    let mut text = std::fs::read_to_string(&ledger).unwrap();
    text.push_str("{\"incident\":");
    std::fs::write(&ledger, text).unwrap();
    let notifier = start(&hook(&address, ""), &told, &folder);
    std::thread::sleep(Wait::from_millis(700));
    assert_eq!(count(&received), 1);
    told.tell(7, What::Resolved);
    until("the end is told", || count(&received) == 2);
    notifier.stop();
    let bodies: Vec<Value> = received.lock().unwrap().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    let shown = |at: usize| (bodies[at]["event"].as_str().unwrap(), bodies[at]["first"].as_bool().unwrap(), bodies[at]["number"].as_u64());
    assert_eq!((shown(0), shown(1)), (("opened", true, Some(1)), ("resolved", false, Some(4))));
}

/// `incidents.ndjson` was removed, or put back as it was days ago: other incidents have the numbers of those that were told.
#[test]
fn numbers_that_go_back_silence_nobody() {
    let (address, received) = http(vec![reply(200, "")]);
    let (before, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    for id in 1..4 {
        before.tell(id, What::Opened);
    }
    let notifier = start(&hook(&address, ""), &before, &folder);
    until("all arrive", || count(&received) == 3 && is_quiet(&notifier.state()));
    notifier.stop();
    // Put back: the first is the one that was told, the second is another one.
    let told = Arc::new(before.put_back(1));
    told.tell(2, What::Opened);
    let notifier = start(&hook(&address, ""), &told, &folder);
    until("the other one is told", || count(&received) == 4 && is_quiet(&notifier.state()));
    notifier.stop();
    // What begins anew does so once, and what was of old stays forgotten.
    let notifier = start(&hook(&address, ""), &told, &folder);
    told.tell(3, What::Opened);
    until("the third is told", || count(&received) == 5 && is_quiet(&notifier.state()));
    notifier.stop();
    // Removed.
    let told = Arc::new(before.put_back(0));
    let notifier = start(&hook(&address, ""), &told, &folder);
    std::thread::sleep(Wait::from_millis(700));
    assert_eq!(count(&received), 5);
    told.tell(1, What::Opened);
    until("a new one is told", || count(&received) == 6);
    notifier.stop();
    let bodies: Vec<Value> = received.lock().unwrap().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    let ids: Vec<u64> = bodies.iter().filter_map(|body| body["incident"]["id"].as_u64()).collect();
    assert_eq!(ids, [1, 2, 3, 2, 3, 1]);
}

/// Nothing is told twice, and nobody who is not to be told any more.
#[test]
fn other_settings_are_taken_over() {
    let ((first, before), (second, after)) = (http(vec![reply(200, "")]), http(vec![reply(200, "")]));
    let (told, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    told.tell(7, What::Opened);
    let notifier = start(&hook(&first, ""), &told, &folder);
    until("it arrives", || count(&before) == 1 && is_quiet(&notifier.state()));
    notifier.renew(settings(&hook(&second, ""))).unwrap();
    told.tell(8, What::Opened);
    until("it arrives at the other one", || count(&after) == 1 && is_quiet(&notifier.state()));
    assert_eq!((count(&before), notifier.state().channels[0].attempts.sent), (1, 2));
    notifier.stop();
    notifier.renew(settings(&hook(&first, ""))).unwrap();
    told.tell(9, What::Opened);
    std::thread::sleep(Wait::from_millis(700));
    assert_eq!((count(&before), count(&after)), (1, 1), "stopped is stopped");
}

#[test]
fn a_storm_of_changes_is_one_update() {
    let (address, received) = http(vec![reply(200, r#"{"ok":true,"channel":"C9","ts":"17.1"}"#)]);
    let (told, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    told.tell(7, What::Opened);
    let text = format!(
        "at_most_every: 5m\nchannels:\n  chat: {{kind: slack, token: \"file:{}\", channel: general, api: \"{address}\"}}\nroutes:\n  - to: chat\n",
        folder.path().join("token").display()
    );
    std::fs::write(folder.path().join("token"), "xoxb-1\nnot the token\n").unwrap();
    let notifier = start(&text, &told, &folder);
    until("it arrives", || count(&received) == 1 && is_quiet(&notifier.state()));
    for _ in 0..20 {
        told.tell(7, What::Changed);
    }
    told.tell(7, What::Resolved);
    until("the update arrives", || count(&received) == 2 && is_quiet(&notifier.state()));
    notifier.stop();
    let received = received.lock().unwrap();
    let paths: Vec<&str> = received.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/chat.postMessage", "/chat.update"]);
    let update: Value = serde_json::from_str(&received[1].1).unwrap();
    assert_eq!((update["channel"].as_str(), update["ts"].as_str()), (Some("C9"), Some("17.1")));
}

/// What was posted may be deleted: then it is posted anew.
#[test]
fn a_message_that_is_gone_is_posted_anew() {
    let posted = r#"{"ok":true,"channel":"C9","ts":"17.1"}"#;
    let (address, received) = http(vec![reply(200, posted), reply(200, r#"{"ok":false,"error":"message_not_found"}"#), reply(200, posted)]);
    let (told, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    told.tell(7, What::Opened);
    std::fs::write(folder.path().join("token"), "xoxb-1").unwrap();
    let token = folder.path().join("token").display().to_string();
    let text = format!(
        "channels:\n  chat: {{kind: slack, token: \"file:{token}\", channel: general, api: \"{address}\"}}\nroutes:\n  - to: chat\n"
    );
    let notifier = start(&text, &told, &folder);
    until("it arrives", || count(&received) == 1 && is_quiet(&notifier.state()));
    told.tell(7, What::Resolved);
    until("it is posted anew", || count(&received) == 3 && is_quiet(&notifier.state()));
    notifier.stop();
    let paths: Vec<String> = received.lock().unwrap().iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(paths, ["/chat.postMessage", "/chat.update", "/chat.postMessage"]);
}

#[test]
fn a_slow_channel_holds_up_nobody() {
    let (slow, _) = http(vec![Reply { after: Wait::from_secs(3), ..reply(200, "") }]);
    let (quick, received) = http(vec![reply(200, "")]);
    let (told, folder) = (Arc::new(Told::new()), tempfile::tempdir().unwrap());
    told.tell(7, What::Opened);
    let text = format!(
        "channels:\n  a-slow: {{kind: webhook, url: \"{slow}\"}}\n  quick: {{kind: webhook, url: \"{quick}\"}}\nroutes:\n  - to: [a-slow, quick]\n"
    );
    let began = Instant::now();
    let notifier = start(&text, &told, &folder);
    until("the quick one has it", || count(&received) == 1);
    assert!(began.elapsed() < Wait::from_secs(2));
    notifier.stop();
}

#[test]
fn waits_grow_and_differ() {
    let told = Told::new();
    let delivery = |incident: u64, attempts: u32| -> Delivery {
        serde_json::from_value(serde_json::json!({
            "incident": incident, "channel": "a", "event": 1, "what": "opened", "outcome": "due", "sent": 0, "reference": null,
            "attempts": attempts, "since": crate::Source::now(&told), "next": crate::Source::now(&told), "sent_at": null,
            "failed_at": null, "reason": null,
        }))
        .unwrap()
    };
    for (attempts, least, most) in [(1, 3_750, 5_000), (2, 7_500, 10_000), (8, 450_000, 600_000), (90, 450_000, 600_000)] {
        let waits: Vec<i64> = (0..50).map(|incident| backoff(&delivery(incident, attempts))).collect();
        assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{attempts}: {waits:?}");
        let different: std::collections::BTreeSet<&i64> = waits.iter().collect();
        assert!(different.len() > 40, "{attempts}: {waits:?}");
        assert_eq!(waits[7], backoff(&delivery(7, attempts)));
    }
}
