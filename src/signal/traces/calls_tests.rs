//! Own times and calls, worked out by hand. A span is written as id, parent, party, kind, start, end.
use super::calls::{Call, Visit, work};
use super::spans::Kind::{Client, Consumer, Internal, Producer, Server, Unspecified};
use super::spans::{Kind, Span};

type Row = (u64, u64, u32, Kind, i64, i64);

fn span(&(id, parent, party, kind, start, end): &Row) -> Span {
    Span { trace: 1, id, parent, start, end, index: 0, party, peer: None, kind, error: false }
}

/// Visits as party, duration and own time; calls as caller, callee and duration.
fn check_spans(mut spans: Vec<Span>, visits: &[(u32, i64, i64)], calls: &[(u32, u32, i64)], why: &str) {
    spans.sort_by_key(Span::key);
    let found = work(&spans);
    let found_visits: Vec<_> = found.visits.iter().map(|Visit { party, duration, own, .. }| (*party, *duration, *own)).collect();
    let found_calls: Vec<_> = found.calls.iter().map(|Call { caller, callee, duration, .. }| (*caller, *callee, *duration)).collect();
    assert_eq!(found_visits, visits, "{why}");
    assert_eq!(found_calls, calls, "{why}");
}

fn check(rows: &[Row], visits: &[(u32, i64, i64)], calls: &[(u32, u32, i64)], why: &str) {
    check_spans(rows.iter().map(span).collect(), visits, calls, why);
}

#[test]
fn own_time_without_clients() {
    let s = Unspecified;
    check(&[(1, 0, 0, s, 100, 200)], &[(0, 100, 100)], &[], "alone");
    check(
        // 10 to 60 and 80 to 90: 60 of 100 are waiting.
        &[(1, 0, 0, s, 1000, 1100), (2, 1, 1, s, 1010, 1040), (3, 1, 1, s, 1030, 1060), (4, 1, 2, s, 1080, 1090)],
        &[(0, 100, 40), (1, 30, 30), (1, 30, 30), (2, 10, 10)],
        &[(0, 1, 30), (0, 1, 30), (0, 2, 10)],
        "overlapping children count once",
    );
    check(
        &[(1, 0, 0, s, 1000, 1100), (2, 1, 1, s, 1010, 1090), (3, 1, 2, s, 1020, 1030)],
        &[(0, 100, 20), (1, 80, 80), (2, 10, 10)],
        &[(0, 1, 80), (0, 2, 10)],
        "one child within the time of another",
    );
    check(
        &[(1, 0, 0, s, 1000, 1100), (2, 1, 1, s, 1080, 1150)],
        &[(0, 100, 80), (1, 70, 70)],
        &[(0, 1, 70)],
        "a child that goes on is clipped",
    );
    check(
        &[(1, 0, 0, s, 1000, 1100), (2, 1, 1, s, 1200, 1250)],
        &[(0, 100, 100), (1, 50, 50)],
        &[(0, 1, 50)],
        "a child that starts after the end takes nothing",
    );
    for start in [500, 990] {
        check(
            &[(1, 0, 0, s, 1000, 1100), (2, 1, 1, s, start, start + 40)],
            &[(0, 100, 60), (1, 40, 40)],
            &[(0, 1, 40)],
            "a child before its parent has a clock that is behind",
        );
    }
}

#[test]
fn own_time_with_clients() {
    check(
        &[(1, 0, 0, Server, 1000, 1100), (2, 1, 0, Client, 1010, 1090), (3, 2, 1, Server, 5015, 5085)],
        &[(0, 100, 20), (1, 70, 70)],
        &[(0, 1, 80)],
        "the span that leaves is the call, whatever the clock of the other",
    );
    check(
        // Own spans fold into the visit: 1000 to 1100 without 1020 to 1060.
        &[(1, 0, 0, Server, 1000, 1100), (2, 1, 0, Internal, 1010, 1090), (3, 2, 0, Client, 1020, 1060), (4, 3, 1, Server, 1025, 1055)],
        &[(0, 100, 60), (1, 30, 30)],
        &[(0, 1, 40)],
        "inner spans are the visit's own",
    );
    check(
        &[(1, 0, 0, Server, 1000, 1100), (2, 1, 0, Producer, 1010, 1020), (3, 2, 1, Consumer, 1030, 1500)],
        &[(0, 100, 90), (1, 470, 470)],
        &[],
        "nobody waits for a consumer",
    );
    check(
        &[(1, 0, 0, Server, 1000, 1100), (2, 1, 0, Client, 1010, 1090), (3, 2, 0, Server, 1020, 1080)],
        &[(0, 100, 20), (0, 60, 60)],
        &[],
        "a component that calls itself is visited twice, and is not its own caller",
    );
    check(
        // The span that leaves has the id of the one that arrives.
        &[(1, 0, 0, Server, 1000, 1100), (2, 1, 0, Client, 1010, 1090), (2, 1, 1, Server, 1020, 1080), (3, 2, 2, Server, 1030, 1050)],
        &[(0, 100, 20), (1, 60, 40), (2, 20, 20)],
        &[(0, 1, 80), (1, 2, 20)],
        "both halves of a call under one id, as Zipkin has it",
    );
}

#[test]
fn records_with_holes() {
    check(&[(1, 9, 0, Server, 1000, 1100)], &[(0, 100, 100)], &[], "the caller is not recorded");
    check(&[(1, 9, 0, Unspecified, 1000, 1100)], &[(0, 100, 100)], &[], "nor is it known what this is");
    check(&[(1, 9, 0, Internal, 1000, 1100)], &[], &[], "a fragment is no visit");
    check(&[(1, 0, 0, Internal, 1000, 1100)], &[(0, 100, 100)], &[], "a job that begins by itself is one");
    check(
        &[(1, 0, 0, Client, 1000, 1100), (2, 1, 1, Server, 1010, 1090)],
        &[(1, 80, 80)],
        &[(0, 1, 100)],
        "what only calls is not visited",
    );
    check(&[(1, 1, 0, Server, 1000, 1100)], &[(0, 100, 100)], &[], "its own parent");
    check(&[(1, 2, 0, Unspecified, 1000, 1100), (2, 1, 0, Unspecified, 1000, 1100)], &[], &[], "each other's parents");
    check(
        // Of two components, so both are entered; each waits for the other all the time.
        &[(1, 2, 0, Unspecified, 1000, 1100), (2, 1, 1, Unspecified, 1000, 1100)],
        &[(0, 100, 0), (1, 100, 0)],
        &[(1, 0, 100), (0, 1, 100)],
        "each other's parents, in two components",
    );
}

#[test]
fn peers_that_send_no_spans() {
    let with_peer = |row: Row, peer: u32| Span { peer: Some(peer), ..span(&row) };
    let server = span(&(1, 0, 0, Server, 1000, 1100));
    let client = with_peer((2, 1, 0, Client, 1010, 1090), 7);
    check_spans(vec![server.clone(), client.clone()], &[(0, 100, 20)], &[(0, 7, 80)], "the client says whom it calls");
    let inner = with_peer((3, 2, 0, Client, 1020, 1080), 7);
    check_spans(vec![server.clone(), client.clone(), inner], &[(0, 100, 20)], &[(0, 7, 60)], "the inner client is the call");
    let answer = span(&(3, 2, 1, Server, 1020, 1080));
    check_spans(vec![server.clone(), client, answer], &[(0, 100, 20), (1, 60, 60)], &[(0, 1, 80)], "what answered is known better");
    let publish = with_peer((2, 1, 0, Producer, 1010, 1020), 7);
    let consumer = span(&(3, 2, 1, Consumer, 1030, 1500));
    check_spans(vec![server, publish, consumer], &[(0, 100, 90), (1, 470, 470)], &[(0, 7, 10)], "the broker is not the consumer");
}
