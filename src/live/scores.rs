//! The scores of external models that the journal holds, as their senders wrote them: they are listed, and join diagnoses of their time.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use signal::{Resolver, ScoreFrame, score_entries};
use value::{Duration, Time};

/// The keys of an entry that are kept: those that a bundle uses.
const KEYS: &[&str] = &["component", "labels", "metric", "score", "scale", "time", "onset", "origin"];

/// A score as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptScore {
    pub received: Time,
    /// The time of the score itself.
    pub time: Time,
    /// One line of JSON, without the newline, in the format of a bundle.
    pub line: String,
}

/// The scores of one request.
pub(super) fn scores_of(body: &[u8], received: Time, resolver: &Resolver<'_>) -> Vec<KeptScore> {
    let frame = ScoreFrame { received: Some(received), ..ScoreFrame::default() };
    // Of a body that cannot be read nothing was accepted.
    let entries = score_entries("scores", body, &frame, resolver).unwrap_or_default();
    let kept = entries.into_iter().filter_map(|entry| {
        let (time, written) = (entry.read.ok()?.time, entry.written?);
        let said = |key: &&str| Some(((*key).to_owned(), written.get(*key).filter(|value| !value.is_null())?.clone()));
        let mut line: Map<String, Value> = KEYS.iter().filter_map(said).collect();
        line.insert("received".to_owned(), json!(received));
        Some(KeptScore { received, time, line: Value::Object(line).to_string() })
    });
    kept.collect()
}

/// All of them, in the order in which they were written.
#[derive(Debug)]
pub(super) struct Scores {
    kept: VecDeque<Arc<KeptScore>>,
    /// How long they are kept, and how many.
    age: Duration,
    most: usize,
}

impl Scores {
    pub fn new(age: Duration, most: usize) -> Scores {
        Scores { kept: VecDeque::new(), age, most }
    }

    /// Keeps more or fewer from now on.
    pub fn retain(&mut self, age: Duration, most: usize) {
        (self.age, self.most) = (age, most);
    }

    pub fn add(&mut self, scores: Vec<KeptScore>) {
        self.kept.extend(scores.into_iter().map(Arc::new));
        let over = self.kept.len().saturating_sub(self.most);
        self.kept.drain(..over);
    }

    /// Those that are not too old.
    pub fn all(&mut self, now: Time) -> Vec<Arc<KeptScore>> {
        let oldest = now.minus(self.age);
        self.kept.retain(|score| score.received >= oldest);
        self.kept.iter().map(Arc::clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use diag::Sources;
    use signal::{MappingRules, Resolver};
    use value::{HOUR, Time};

    use super::{Scores, scores_of};

    #[test]
    fn what_is_kept_of_scores() {
        let (rules, (estate, _)) = (MappingRules::default(), estate::build(&Sources::default(), &[], &[]));
        let resolver = Resolver::new(&rules, &estate);
        let at = |hours: i64| Time(hours * HOUR);
        let body = r#"[{"component": "a", "score": 0.9, "time": 0, "origin": "m", "more": 1, "metric": null},
            {"component": "a", "score": 9, "time": 0, "origin": "m"},
            {"component": "a", "score": 0.9, "time": 7201, "origin": "m"}]"#;
        // Out of range, and an hour and a second ahead of the clock.
        let kept = scores_of(body.as_bytes(), at(1), &resolver);
        let lines: Vec<&str> = kept.iter().map(|one| one.line.as_str()).collect();
        let line = r#"{"component":"a","origin":"m","received":"1970-01-01T01:00:00Z","score":0.9,"time":0}"#;
        assert_eq!(lines, [line]);
        assert_eq!(scores_of(lines.join("\n").as_bytes(), at(1), &resolver), kept, "a line is a score of a bundle");
        // As long as the journal, and the last ones.
        let mut scores = Scores::new(2 * HOUR, 3);
        for hour in 0..5 {
            scores.add(scores_of(line.as_bytes(), at(hour), &resolver));
        }
        let mut received = |now: i64| scores.all(at(now)).iter().map(|one| one.received).collect::<Vec<_>>();
        assert_eq!(received(4), [at(2), at(3), at(4)]);
        assert_eq!(received(6), [at(4)]);
    }
}
