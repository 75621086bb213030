//! Log lines that are new or more frequent than usual: mines templates per component, and compares their counts since the possible
//! beginning of the incident with those before.
//!
//! Templates of the reference are mined first and then frozen. A later line that would generalize one of them counts as new. So
//! `connection to <*> refused` is new if only `connection to <*> open` was seen.

use std::collections::BTreeMap;

use estate::ComponentId;
use signal::{Facts, LogLine, Origin};
use value::{Duration, SECOND, Time};

use super::binomial::{binomial_tail, float};
use super::drain::Miner;
use super::reasons::Reason;
use super::reference::MIN_REFERENCE;
use super::score::first_symptom;
use super::tallies::{LogSourceTally, Now, Past, Tallies};
use super::tokens::{sentence, shorten, tokens};

/// The probability of any report from logs in which nothing happened: one in a hundred, for templates and words together, if windows
/// are independent. Bonferroni over all tests instead of Benjamini and Hochberg, because lines of one request depend on each other, a
/// single false report misleads on a quiet day, and the lines of a real incident are far beyond either bound.
const FALSE_REPORTS: f64 = 0.01;

/// The same for kinds of errors that were never logged before, which are few.
const NEW_ERRORS: f64 = 0.1;
/// That little was logged before leaves at least this probability of chance.
const AFTER_LITTLE: f64 = 0.05;
/// An error counts as one that comes again from so many occasions on.
const AGAIN: u64 = 3;

/// Templates and words are two families of tests. Each has half, because there are many words, which would hide templates.
const FAMILIES: f64 = 2.0;

/// Number of windows in the judged time. Enough to show what lasts a tenth of it, and few enough that one burst of lines falls into one
/// or two.
const WINDOWS: i64 = 60;

/// The minimum window: lines within a second count as one occasion.
const SHORTEST: Duration = SECOND;

/// A rate is tested against this multiple of the usual rate: hours of a day normally differ by less.
const DOUBLE: f64 = 2.0;

/// Characters of a template that are shown.
const MAX_SHOWN: usize = 160;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// A template that no line of the component had before.
    New,
    /// A known template with more than twice its usual rate.
    Surging,
    /// A known template with a word in a variable place that no earlier line of any component had.
    Word,
}

/// A word that no line before the incident had.
#[derive(Debug, Clone, PartialEq)]
pub struct RareWord {
    /// In lower case; a run of Chinese characters is one word.
    pub word: String,
    /// Inverse document frequency (Spärck Jones, "A statistical interpretation of term specificity", 1972): the logarithm of how
    /// many judged lines there are for each that has it. 0 if all have it.
    pub weight: f64,
}

/// A template of a component that is new or more frequent than before.
#[derive(Debug, Clone, PartialEq)]
pub struct LogDeviation {
    /// `None`: lines that fit no component, taken together.
    pub component: Option<ComponentId>,
    pub kind: LogKind,
    /// Values and open words as `<*>`; at most 160 characters.
    pub template: String,
    /// Position in `facts.logs` of the line at `onset`.
    pub line: usize,
    pub example: Origin,
    /// The time of the first line; for a surge, the first line of the period with the largest excess.
    pub onset: Time,
    /// Lines before the cut, and from it on.
    pub before: usize,
    pub after: usize,
    /// The rate after the cut, divided by the rate before. `None` if there were no lines before.
    pub ratio: Option<f64>,
    /// Probability of as many or more if nothing had changed, not corrected for how many were looked at. 0 if too small for a
    /// float. Of an unknown reference it is no test but an order: one by one more than the windows that have it.
    pub p: f64,
    /// Whether a line since the cut has level error or worse.
    pub error: bool,
    /// No logs before the incident: only templates with errors are listed, and nothing is called new.
    pub unknown_reference: bool,
    /// Words of it that no line of any component had before, the rarest first; of [`LogKind::Word`] that one.
    pub rare: Vec<RareWord>,
}

impl LogDeviation {
    /// The same as a reason to suspect its component.
    pub fn reason(&self) -> Reason {
        Reason::Log {
            kind: self.kind,
            error: self.error,
            template: self.template.clone(),
            word: (self.kind == LogKind::Word).then(|| self.rare.first().map(|rare| rare.word.clone())).flatten(),
            lines: self.after,
            before: self.before,
            ratio: self.ratio,
            onset: self.onset,
        }
    }
}

/// Which lines are judged, and by which. Cut into windows of one length, counted from the cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    /// The first judged instant.
    pub cut: Time,
    pub window: Duration,
    /// Windows before and from the cut; those before may be none.
    before: u64,
    after: u64,
    /// Whether there is a reference.
    pub known: bool,
}

/// Every template that is new or more frequent than before between `since` and `at`, the least probable first; then errors, then by
/// component and text.
///
/// The reference is what was logged before `since`; if nothing was, before new errors began, or the first alert, failed probe or report,
/// whichever is earlier; only if none of these is known, the first half. All logs of a bundle are taken to begin together: a component
/// without a line before was silent then, not unrecorded. A new template is tested by the windows that have it (one of them counts once,
/// so that a burst is one occasion), a surge by its lines, those at one instant once, and divided by the index of dispersion of the
/// reference where lines come in bursts there too. Linear in the lines.
pub fn log_deviations(facts: &Facts, at: Time, since: Time) -> Vec<LogDeviation> {
    let lines = facts.logs.get(..facts.logs.partition_point(|line| line.time <= at)).unwrap_or(&[]);
    let symptom = first_symptom(facts, at);
    let Some(frame) = Period::of(lines, (since > Time::MIN).then_some(since), symptom) else { return Vec::new() };
    let tallies = Tallies::count(lines, &frame);
    let (templates, words): (Vec<Tested<'_>>, Vec<Tested<'_>>) =
        tested(&tallies, &frame).into_iter().partition(|one| one.what.is_template());
    let mut found: Vec<LogDeviation> = Vec::new();
    for family in [templates, words] {
        let tests = float(family.len() as u64);
        // New errors are a family of their own, and nothing else was looked at to find them.
        let new_error = |one: &Tested<'_>| matches!(one.what, What::Fresh(_)) && is_new_error(one.now, &frame);
        let passes = |one: &Tested<'_>| one.p * tests * FAMILIES <= FALSE_REPORTS || (new_error(one) && one.p <= NEW_ERRORS);
        let rare = family.into_iter().filter(|one| !frame.known || passes(one));
        found.extend(rare.filter_map(|one| one.told(lines, &tallies, &frame)));
    }
    found.sort_by(|a, b| {
        let key = |d: &LogDeviation| (!d.error, d.component, d.line, d.kind);
        a.p.total_cmp(&b.p).then_with(|| key(a).cmp(&key(b))).then_with(|| a.template.cmp(&b.template))
    });
    found
}

impl Period {
    /// `None` if there is nothing to judge.
    fn of(lines: &[LogLine], since: Option<Time>, symptom: Option<Time>) -> Option<Period> {
        // Events of a cluster tell of earlier days; the logs need not have begun then.
        let first = lines.iter().find(|line| !line.is_of_cluster()).or(lines.first())?.time;
        let last = lines.last()?.time;
        let frame = |cut: Time| Period::cut_at(cut, lines, first, last);
        if since.is_none() && symptom.is_none() {
            return frame(first.plus(last.since(first) / 2));
        }
        let asked = since.and_then(frame);
        let known = |frame: Option<Period>| frame.filter(|frame| frame.known);
        known(asked).or_else(|| {
            // Hardly anything was logged before the time in which an alert waits to fire.
            let errors = errors_begin(lines, first, last).and_then(frame);
            let alerted = symptom.and_then(frame);
            let begun = [known(alerted), known(errors)].into_iter().flatten().min_by_key(|begun| begun.cut);
            begun.or(asked).or(alerted)
        })
    }

    fn cut_at(cut: Time, lines: &[LogLine], first: Time, last: Time) -> Option<Period> {
        let earlier = lines.partition_point(|line| line.time < cut);
        if earlier >= lines.len() {
            return None;
        }
        let cut = cut.max(first);
        let span = last.since(cut) + 1;
        let window = ((span + WINDOWS - 1) / WINDOWS).max(SHORTEST);
        let before = u64::try_from(cut.since(first) / window).unwrap_or(0);
        let after = u64::try_from((span + window - 1) / window).unwrap_or(1);
        let known = earlier >= MIN_REFERENCE && before >= MIN_REFERENCE as u64;
        Some(Period { cut, window, before, after, known })
    }

    /// The share of the judged windows among all, where their rate is `ratio` times the other one.
    fn share(&self, ratio: f64) -> f64 {
        let after = ratio * float(self.after);
        after / (float(self.before) + after)
    }
}

/// When the first kind of error began that comes again and again, and that the record before it would have shown if it were usual. An
/// alert waits before it fires, so the minutes before it tell nothing about what is usual.
fn errors_begin(lines: &[LogLine], first: Time, last: Time) -> Option<Time> {
    let mut kinds: BTreeMap<Option<ComponentId>, (Miner, Vec<Recurring>)> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.time >= first && line.is_error() && !line.is_of_cluster()) {
        let (miner, kinds) = kinds.entry(line.component).or_default();
        let sentence = sentence(&line.text);
        let Some(at) = miner.add(&tokens(&sentence)) else { continue };
        match kinds.get_mut(at) {
            Some(kind) => {
                kind.occasions += u64::from(kind.latest < line.time);
                kind.latest = line.time;
            }
            None => kinds.push(Recurring { begun: line.time, latest: line.time, occasions: 1 }),
        }
    }
    let again: Vec<&Recurring> = kinds.values().flat_map(|(_, kinds)| kinds).filter(|kind| kind.occasions >= AGAIN).collect();
    // The first of several is picked, so each has its part of the chance.
    let chance = NEW_ERRORS / float(again.len() as u64);
    let length = |from: Time| float(u64::try_from(last.since(from)).unwrap_or(0));
    let is_new = |kind: &&&Recurring| {
        let share = length(kind.begun) / length(first).max(1.0);
        binomial_tail(kind.occasions, kind.occasions, share) <= chance
    };
    again.iter().filter(is_new).map(|kind| kind.begun).min()
}

/// The lines of one template.
struct Recurring {
    begun: Time,
    latest: Time,
    /// Different instants at which it was logged.
    occasions: u64,
}

#[derive(Clone, Copy)]
enum What<'t> {
    Fresh(usize),
    Known(usize),
    Word(&'t str),
}

impl What<'_> {
    fn is_template(&self) -> bool {
        match self {
            What::Fresh(_) | What::Known(_) => true,
            What::Word(_) => false,
        }
    }
}

struct Tested<'t> {
    component: Option<ComponentId>,
    source: &'t LogSourceTally,
    what: What<'t>,
    now: &'t Now,
    p: f64,
}

/// Everything that was seen since the cut, each with its probability.
fn tested<'t>(tallies: &'t Tallies, frame: &Period) -> Vec<Tested<'t>> {
    let mut tests = Vec::new();
    let unseen = tallies.unseen();
    let first_seen = |now: &Now| {
        let windows = now.windows.len() as u64;
        if frame.known { binomial_tail(windows, windows, frame.share(1.0)) } else { 1.0 / (float(windows) + 1.0) }
    };
    for (component, source) in &tallies.sources {
        let mut add = |what: What<'t>, now: &'t Now, p: f64| tests.push(Tested { component: *component, source, what, now, p });
        for (at, now) in source.of_fresh.iter().enumerate().filter(|(_, now)| frame.known || now.errors > 0) {
            let p = first_seen(now);
            // A kind of error that comes again and again is new however short the record before it.
            add(What::Fresh(at), now, if is_new_error(now, frame) { p.min(unseen.max(AFTER_LITTLE)) } else { p });
        }
        for (at, (past, now)) in source.past.iter().zip(&source.of_known).enumerate().filter(|(_, (_, now))| now.lines > 0) {
            add(What::Known(at), now, surge(past, now, frame));
        }
        for (word, now) in &source.words {
            add(What::Word(word), now, first_seen(now));
        }
    }
    tests
}

/// Whether it is an error that comes again and again, after a record too short to compare windows with: no longer than what is judged.
fn is_new_error(now: &Now, frame: &Period) -> bool {
    frame.known && frame.before <= frame.after && now.errors > 0 && now.occasions() >= AGAIN
}

/// The probability of as many lines since the cut if the rate had at most doubled.
fn surge(past: &Past, now: &Now, frame: &Period) -> f64 {
    let windows = float(frame.before);
    let mean = float(past.occasions) / windows;
    let variance = float(past.squares()) / windows - mean * mean;
    // Index of dispersion: 1 for independent lines, more for bursts (quasi-Poisson; McCullagh and Nelder 1989).
    let together = (variance / mean).max(1.0);
    let (before, after) = (whole((float(past.occasions) / together).ceil()), whole((float(now.occasions()) / together).floor()));
    binomial_tail(before + after, after, frame.share(DOUBLE))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of lines, rounded and above zero")]
fn whole(count: f64) -> u64 {
    count as u64
}

impl Tested<'_> {
    fn told(&self, lines: &[LogLine], tallies: &Tallies, frame: &Period) -> Option<LogDeviation> {
        let mut position = self.now.windows.first()?.first;
        let (mut before, mut ratio) = (0, None);
        let (kind, template, words) = match self.what {
            What::Fresh(at) => {
                let words: Vec<String> = self.source.fresh.words(at).map(str::to_lowercase).collect();
                (LogKind::New, self.source.fresh.text(at), words)
            }
            What::Known(at) => {
                let past = self.source.past.get(at)?;
                before = past.lines;
                let usual = float(past.lines as u64) / float(frame.before);
                ratio = Some(float(self.now.lines as u64) / float(frame.after) / usual);
                position = self.now.most_above(DOUBLE * float(past.occasions) / float(frame.before))?;
                (LogKind::Surging, self.source.known.text(at), Vec::new())
            }
            What::Word(word) => (LogKind::Word, self.source.text_of(lines.get(position)?), vec![word.to_owned()]),
        };
        let line = lines.get(position)?;
        Some(LogDeviation {
            component: self.component,
            kind,
            template: shorten(&template, MAX_SHOWN).to_owned(),
            line: position,
            example: line.origin.clone(),
            onset: line.time,
            before,
            after: self.now.lines,
            ratio,
            p: self.p,
            error: self.now.errors > 0,
            unknown_reference: !frame.known,
            rare: rare(words, tallies),
        })
    }
}

/// Those among the words that no line had before, the rarest first.
fn rare(mut words: Vec<String>, tallies: &Tallies) -> Vec<RareWord> {
    words.sort_unstable();
    words.dedup();
    let weight = |lines: &usize| (float(tallies.judged as u64) / float(*lines as u64)).ln();
    let found = words.into_iter().filter_map(|word| tallies.unheard.get(&word).map(weight).map(|weight| RareWord { word, weight }));
    let mut found: Vec<RareWord> = found.collect();
    found.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.word.cmp(&b.word)));
    found
}
