//! The printed diagnosis, ready to paste into an incident channel: plain text, or Markdown with the same layout.

use std::collections::BTreeMap;

use compile::plan::Severity;
use estate::{State, Tier};
use localize::{AdviceView, CaseView, Diagnosis, ImpactView, Incident, Layer, Reason, SignalView, Suspect};
use words::Writer;

use super::Lang;
use super::groups::groups;
use super::page::Page;

/// Lines shown of a long list; the rest is counted. JSON has all of it.
const MAX_EVIDENCE: usize = 8;
const MAX_IMPACT: usize = 12;
const MAX_SIGNALS: usize = 6;
const MAX_NEAR: usize = 5;
/// Up to this many suspects that nothing tells apart have a paragraph each.
const MAX_ALIKE: usize = 3;
/// From this confidence on, nobody is asked to confirm.
const SURE: f64 = 0.8;
/// Below this one, it is more likely something else.
const LIKELY: f64 = 0.5;

/// The whole diagnosis.
pub fn diagnosis(diagnosis: &Diagnosis, writer: Writer<'_>, markdown: bool) -> String {
    let lang = writer.lang();
    let mut page = Page::new(lang, markdown);
    if diagnosis.incidents.is_empty() {
        page.title(&nothing(diagnosis, writer));
    }
    if !diagnosis.warnings.is_empty() {
        page.heading(lang.warnings());
        diagnosis.warnings.iter().take(MAX_SIGNALS).for_each(|w| page.item(w));
        page.more(diagnosis.warnings.len(), MAX_SIGNALS);
    }
    for incident in &diagnosis.incidents {
        self::incident(&mut page, incident, diagnosis, writer);
    }
    if diagnosis.hidden > 0 {
        page.entry(&page.lang.hidden(diagnosis.hidden));
    }
    near_misses(&mut page, diagnosis);
    let list = |page: &mut Page, title: &str, views: &[SignalView], total: usize| {
        if views.is_empty() {
            return;
        }
        page.heading(&format!("{title}{}", lang.bracketed(&total.to_string())));
        views.iter().take(MAX_SIGNALS).for_each(|s| page.item(&signal(s, writer)));
        page.more(views.len(), MAX_SIGNALS);
    };
    // A list that would be cut off is shown as groups, which cover all of it.
    if diagnosis.unexplained.len() > MAX_SIGNALS {
        groups(&mut page, diagnosis, writer, MAX_SIGNALS);
    } else {
        list(&mut page, lang.unexplained(), &diagnosis.unexplained, unexplained(diagnosis));
    }
    // Those that need an explanation are already listed above.
    let listed: Vec<_> = diagnosis.unexplained.iter().map(|s| &s.origin).collect();
    let quiet: Vec<SignalView> = diagnosis.unplaced.iter().filter(|s| !listed.contains(&&s.origin)).cloned().collect();
    list(&mut page, lang.unplaced(), &quiet, quiet.len());
    why_unplaced(&mut page, diagnosis);
    if !diagnosis.suppressed.is_empty() {
        page.heading(&format!("{}{}", lang.suppressed(), lang.bracketed(&diagnosis.suppressed.len().to_string())));
        for view in diagnosis.suppressed.iter().take(MAX_SIGNALS) {
            let rule = view.rule.as_ref().map_or_else(String::new, |rule| format!("{rule}: "));
            page.item(&format!("{} — {rule}{}", signal(&view.signal, writer), view.reason.text));
        }
        page.more(diagnosis.suppressed.len(), MAX_SIGNALS);
    }
    if !diagnosis.set_aside.is_empty() {
        page.heading(lang.set_aside());
        for view in diagnosis.set_aside.iter().take(MAX_SIGNALS) {
            let on = lang.bracketed(&lang.listed(&view.components));
            page.item(&format!("{} {}{on} — {}", view.rule, lang.quoted(&view.title), view.reason.text));
        }
        page.more(diagnosis.set_aside.len(), MAX_SIGNALS);
    }
    if !diagnosis.unjudged.is_empty() {
        page.heading(lang.unjudged_rules());
        for view in &diagnosis.unjudged {
            let unjudged = lang.unjudged(view.rules.len(), &view.missing);
            page.item(&format!("{unjudged}{}{}", lang.colon(), page.names(&view.rules, MAX_SIGNALS)));
        }
    }
    accounting(&mut page, diagnosis, writer);
    page.text
}

/// Why signals are on no component, and what would place them.
fn why_unplaced(page: &mut Page, diagnosis: &Diagnosis) {
    if diagnosis.unplaced_because.is_empty() {
        return;
    }
    let title = page.lang.why_unplaced();
    page.heading(title);
    for view in diagnosis.unplaced_because.iter().take(MAX_SIGNALS) {
        page.item(&format!("{} × {}  [{}#{}]", view.count, view.reason.text, view.origin.file, view.origin.index));
        if let Some(remedy) = &view.remedy {
            page.sub(&format!("→ {remedy}"));
        }
    }
    page.more(diagnosis.unplaced_because.len(), MAX_SIGNALS);
}

/// The title of a report without incidents.
pub fn nothing(diagnosis: &Diagnosis, writer: Writer<'_>) -> String {
    let lang = writer.lang();
    let open = diagnosis.hidden > 0 || diagnosis.unexplained.iter().any(|s| s.kind != "metric");
    let zone = &writer.locale.zone;
    let at = lang.bracketed(&format!("{} {} {}", lang.at(), zone.moment(diagnosis.at), zone.name()));
    format!("{}{at}", if open { lang.no_suspect() } else { lang.no_fault() })
}

/// `INCIDENT 1 · critical · since 2025-06-01 02:02:00 UTC · still on · 6 of 7 symptoms explained`
pub fn header(incident: &Incident, writer: Writer<'_>) -> String {
    let (lang, zone) = (writer.lang(), &writer.locale.zone);
    let since = format!("{} {} {}", lang.since(), zone.moment(incident.since), zone.name());
    let lasts = match incident.until {
        Some(until) => lang.over(&zone.near(until, incident.since)),
        None => lang.still_on().to_owned(),
    };
    let severity = lang.severity(incident.severity);
    let counts = lang.symptoms(incident.symptoms, incident.explained);
    format!("{} {} · {severity} · {since} · {lasts} · {counts}", lang.incident(), incident.number)
}

/// Id and name of a suspect.
pub fn named(suspect: &Suspect) -> String {
    let id = suspect.component.as_deref().unwrap_or("—");
    suspect.name.as_deref().filter(|name| *name != id).map_or_else(|| id.to_owned(), |name| format!("{id} {name}"))
}

/// `91% sure, by expert rule CAS-001 · since 02:12:00, ended 02:26:30 · tell payment-oncall`. A suspect that needs a person's
/// confirmation is only likely.
pub fn confidence(suspect: &Suspect, incident: &Incident, writer: Writer<'_>) -> String {
    let (lang, zone) = (writer.lang(), &writer.locale.zone);
    let share = percent(suspect.confidence);
    let alike = suspect.component.as_ref().is_some_and(|component| incident.alike.contains(component));
    let share = if alike { lang.each(&share) } else { share };
    let sure = match suspect.confidence {
        _ if !suspect.confirm => lang.sure(&share),
        SURE.. => lang.sure(&share),
        LIKELY.. => lang.likely(&share),
        _ => lang.guess(&share),
    };
    let rules = if suspect.rules.is_empty() { String::new() } else { format!(" {}", lang.listed(&suspect.rules)) };
    // While the incident lasts, a suspect has not ended: its evidence was last seen then.
    let ended = if incident.until.is_some() { lang.ended() } else { lang.last_seen() };
    let ended = suspect.until.map_or_else(String::new, |until| format!("{}{ended} {}", lang.comma(), zone.near(until, incident.since)));
    let tell = suspect.contact.as_ref().map_or_else(String::new, |owner| format!(" · {} {owner}", lang.tell()));
    let since = zone.near(suspect.since, incident.since);
    format!("{sure}{}{}{}{rules} · {} {since}{ended}{tell}", lang.comma(), lang.by(), layer(suspect, lang), lang.since())
}

/// What names the suspect. Where no score speaks, the anomaly layer has nothing but alerts and the topology.
fn layer(suspect: &Suspect, lang: Lang) -> &'static str {
    let scores = suspect.reasons.iter().any(|reason| match &reason.what {
        Reason::Anomaly(reason) => {
            use anomaly::Reason::{Log, Metric, Score, Silent};
            matches!(reason, Metric { .. } | Log { .. } | Score { .. } | Silent { .. })
        }
        Reason::Case(_) | Reason::Match(_) => false,
    });
    if suspect.layer == Layer::Anomaly && !scores { lang.alerts_alone() } else { lang.layer_name(suspect.layer) }
}

fn incident(page: &mut Page, incident: &Incident, diagnosis: &Diagnosis, writer: Writer<'_>) {
    let lang = page.lang;
    page.title(&header(incident, writer));
    let (roots, consequences): (Vec<&Suspect>, Vec<&Suspect>) = incident.suspects.iter().partition(|s| s.explained_by.is_none());
    if !incident.alike.is_empty() {
        page.item(&lang.alike(&incident.alike));
    }
    // A long list of equals is told by that line; of each other suspect there is a paragraph.
    let alike = |suspect: &Suspect| suspect.component.as_ref().is_some_and(|component| incident.alike.contains(component));
    let told = roots.iter().enumerate().filter(|(index, suspect)| *index == 0 || incident.alike.len() <= MAX_ALIKE || !alike(suspect));
    for (index, suspect) in told {
        self::suspect(page, suspect, index + 1, incident, writer);
    }
    if !consequences.is_empty() {
        page.heading(lang.also_affected());
        for suspect in consequences {
            let component = suspect.component.as_deref().unwrap_or("-");
            let by = suspect.explained_by.as_deref().unwrap_or("-");
            let rules = lang.bracketed(&lang.listed(&suspect.rules));
            page.item(&format!("{component}{}{}{rules} — {} {by}", lang.colon(), suspect.fault, lang.consequence()));
        }
    }
    changes(page, incident.number, diagnosis, writer);
    for (title, list) in [(lang.checks(), &diagnosis.checks), (lang.solutions(), &diagnosis.solutions)] {
        let mine: Vec<_> = list.iter().filter(|a| a.incident == incident.number).collect();
        if mine.is_empty() {
            continue;
        }
        page.heading(title);
        for (index, advice) in mine.iter().enumerate() {
            let mut text = format!("{}  [{}]", advice.text, source(advice, incident, lang));
            if !advice.see.is_empty() {
                text.push_str(&format!("  → {}", advice.see.join(", ")));
            }
            if let Some(query) = &advice.query {
                text.push_str(&format!("  `{query}`"));
            }
            page.step(index + 1, &text, advice.runbook.as_deref());
        }
    }
    impact(page, &incident.impact);
    let cases: Vec<&CaseView> = diagnosis.cases.iter().filter(|c| c.incident == incident.number).collect();
    if !cases.is_empty() {
        page.heading(lang.cases());
        cases.iter().for_each(|case| self::case(page, case, writer));
    }
    let before: Vec<&str> =
        diagnosis.before.iter().filter(|view| view.incident == incident.number).map(|view| view.earlier.text.as_str()).collect();
    if !before.is_empty() {
        page.heading(lang.seen_here());
        before.into_iter().for_each(|text| page.item(text));
    }
}

fn changes(page: &mut Page, incident: usize, diagnosis: &Diagnosis, writer: Writer<'_>) {
    let mine: Vec<_> = diagnosis.changes.iter().filter(|c| c.incident == incident).collect();
    if mine.is_empty() {
        return;
    }
    let title = page.lang.changes();
    page.heading(title);
    for change in mine.iter().take(MAX_SIGNALS) {
        let distance = if change.after { page.lang.after().to_owned() } else { page.lang.before(&writer.span(change.before)) };
        let on = change.on_suspect.then(|| page.lang.on_suspect().to_owned());
        let marks: Vec<String> = on.into_iter().chain([distance]).collect();
        let mark = format!("  ← {}", marks.join(page.lang.comma()));
        page.item(&format!(
            "{} {}: {}  [{}#{}]{mark}",
            writer.clock(change.time),
            change.component,
            change.text,
            change.origin.file,
            change.origin.index
        ));
    }
    page.more(mine.len(), MAX_SIGNALS);
}

fn suspect(page: &mut Page, suspect: &Suspect, rank: usize, incident: &Incident, writer: Writer<'_>) {
    let lang = page.lang;
    let who = named(suspect);
    let mut about: Vec<String> = suspect.kind.iter().map(|kind| writer.kind(kind)).collect();
    if suspect.tier.is_some() {
        about.push(lang.tier(suspect.tier).to_owned());
    }
    if let Some(owner) = &suspect.owner {
        about.push(format!("{} {owner}", lang.owner()));
    }
    let fault = &suspect.fault;
    let line = format!("{who}{}{}{fault}", lang.bracketed(&about.join(lang.comma())), lang.colon());
    let line = page.safe(&line).into_owned();
    if page.markdown {
        page.text.push_str(&format!("\n### {rank}. {line}\n\n"));
    } else {
        page.text.push_str(&format!("\n  {rank}. {line}\n"));
    }
    page.item(&confidence(suspect, incident, writer));
    for rule in suspect.authored.iter().filter(|rule| rule.added.is_some() || rule.reviewed.is_some() || !rule.tags.is_empty()) {
        page.item(&lang.authored(&rule.id, rule.added.as_deref(), rule.reviewed.as_deref(), &rule.tags));
    }
    for evidence in suspect.evidence.iter().take(MAX_EVIDENCE) {
        let mark = Writer::mark(evidence.truth);
        page.item(&format!("{mark} {}", evidence.text));
    }
    page.more(suspect.evidence.len(), MAX_EVIDENCE);
    suspect.reasons.iter().take(MAX_EVIDENCE).for_each(|reason| page.item(&reason.text));
    for (heading, words) in [(lang.against(), &suspect.against), (lang.look_at(), &suspect.look)] {
        if !words.is_empty() {
            let words: Vec<&str> = words.iter().map(|reason| reason.text.as_str()).collect();
            page.item(&format!("{heading}{}{}", lang.colon(), words.join(page.say("; ", "；"))));
        }
    }
    if !suspect.explains.is_empty() {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for one in &suspect.explains {
            *kinds.entry(one.kind.as_str()).or_default() += 1;
        }
        let mut names: Vec<&str> = suspect.explains.iter().filter_map(|s| s.component.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        let shown: Vec<&str> = names.iter().copied().take(MAX_SIGNALS).collect();
        let rest = if names.len() > MAX_SIGNALS { format!(" … {} {}", names.len() - MAX_SIGNALS, lang.more()) } else { String::new() };
        let counts: Vec<String> = kinds.iter().map(|(kind, n)| lang.count(*n, kind)).collect();
        let on = if shown.is_empty() { String::new() } else { format!("{}{}{rest}", lang.colon(), lang.listed(&shown)) };
        page.item(&format!("{} {}{on}", lang.explains(), counts.join(lang.comma())));
    }
    if !suspect.causes.is_empty() {
        page.item(&format!("{}{}{}", lang.look_for(), lang.colon(), suspect.causes.join(page.say("; ", "；"))));
    }
    suspect.notes.iter().for_each(|note| page.item(&format!("{}: {note}", lang.note())));
}

/// Counts by tier, then the affected components.
fn impact(page: &mut Page, impact: &[ImpactView]) {
    if impact.is_empty() {
        return;
    }
    let lang = page.lang;
    let mut tiers: BTreeMap<(bool, Option<Tier>), Vec<&ImpactView>> = BTreeMap::new();
    for view in impact {
        tiers.entry((view.tier.is_none(), view.tier)).or_default().push(view);
    }
    let counts: Vec<String> = tiers.iter().map(|((_, tier), list)| format!("{} {}", list.len(), lang.tier(*tier))).collect();
    let counts = lang.bracketed(&format!("{}{}{}", impact.len(), lang.colon(), counts.join(lang.comma())));
    page.heading(&format!("{}{counts}", lang.impact()));
    let mut shown = 0;
    // Components named by a rule first, then those with symptoms, then by tier and distance.
    let mut order: Vec<&ImpactView> = impact.iter().collect();
    order.sort_by_key(|v| (!v.declared, !v.observed, v.tier.is_none(), v.tier, v.distance));
    for view in order.into_iter().take(MAX_IMPACT) {
        shown += 1;
        page.item(&impact_line(view, lang, view.tier));
    }
    page.more(impact.len(), shown);
}

pub fn impact_line(view: &ImpactView, lang: Lang, tier: Option<Tier>) -> String {
    let mut line = format!("[{}] {}", lang.tier(tier), view.component);
    if view.name != view.component {
        line.push_str(&format!(" {}", view.name));
    }
    line.push_str(&format!(" · {}", lang.state(view.state)));
    if let Some(owner) = &view.owner {
        line.push_str(&format!(" · {owner}"));
    }
    if view.path.len() > 1 {
        let joined = view.path.join(" → ");
        line.push_str(&format!(" · {}", if view.by_evidence { joined.replacen(" → ", " ⇢ ", 1) } else { joined }));
    }
    // That what is not down puts at risk at most goes without saying.
    for step in view.softens.iter().filter(|step| step.what.from == State::Down) {
        line.push_str(&format!(" · {}", step.text));
    }
    if !view.functions.is_empty() {
        line.push_str(&format!(" · {}: {}", lang.functions(), view.functions.join(", ")));
    }
    if view.declared {
        line.push_str(&format!(" · {}", lang.declared()));
    }
    if view.inferred {
        line.push_str(&format!(" · {}", lang.inferred()));
    } else if view.observed {
        line.push_str(&format!(" · {}", lang.observed()));
    }
    line
}

fn case(page: &mut Page, case: &CaseView, writer: Writer<'_>) {
    let lang = page.lang;
    let by = case.rule.as_ref().map_or_else(String::new, |rule| format!(" [{rule}]"));
    let date = case.date.map_or_else(String::new, |d| format!(" {}", writer.locale.zone.day(d)));
    let likeness = case.similarity.map_or_else(String::new, |similarity| format!(" {}", percent(similarity)));
    page.item(&format!("{}{date} \"{}\"{likeness}{by}", case.id, case.title));
    if let Some(root) = &case.root_cause {
        page.sub(&format!("{}: {root}", lang.root_cause()));
    }
    if let Some(record) = case.record {
        page.sub(&lang.record(record));
    }
    if !case.solutions.is_empty() && case.rule.is_none() {
        page.sub(&format!("{}{}{}", lang.last_time(), lang.colon(), case.solutions.join(page.say("; ", "；"))));
    }
}

fn near_misses(page: &mut Page, diagnosis: &Diagnosis) {
    if diagnosis.near_misses.is_empty() {
        return;
    }
    let title = page.lang.near_misses();
    page.heading(title);
    for miss in diagnosis.near_misses.iter().take(MAX_NEAR) {
        page.item(&miss.text);
    }
    page.more(diagnosis.near_misses.len(), MAX_NEAR);
}

pub fn signal(signal: &SignalView, writer: Writer<'_>) -> String {
    let lang = writer.lang();
    // What calls somebody now is told from the rest.
    let gap = if lang == Lang::En { " " } else { "" };
    let urgent = signal.firing.filter(|severity| *severity == Severity::Critical);
    let urgent = urgent.map_or_else(String::new, |severity| format!("{}{gap}", lang.severity(severity)));
    let count = if signal.count > 1 { format!(" (×{})", signal.count) } else { String::new() };
    let instance = signal.instance.as_ref().map_or_else(String::new, |instance| format!(" ({instance})"));
    let on = signal.component.as_ref().map_or_else(String::new, |c| format!("{c}{instance}: "));
    let (time, kind) = (writer.clock(signal.time), lang.signal_kind(&signal.kind));
    format!("{time} {urgent}{kind} {on}{}{count}  [{}#{}]", signal.text, signal.origin.file, signal.origin.index)
}

/// The rule or case of an advice; if it is not one of the first suspect, also whose it is.
pub fn source(advice: &AdviceView, incident: &Incident, lang: Lang) -> String {
    let by = |suspect: &Suspect| suspect.rules.contains(&advice.from);
    let other = incident.suspects.iter().find(|suspect| by(suspect)).filter(|_| !incident.suspects.first().is_some_and(by));
    let whose = other.and_then(|suspect| suspect.component.as_deref());
    whose.map_or_else(|| advice.from.clone(), |whose| format!("{}{}{whose}", advice.from, lang.comma()))
}

/// How many signals nobody explains, as the account at the end counts them.
pub fn unexplained(diagnosis: &Diagnosis) -> usize {
    diagnosis.accounting.iter().map(|line| line.unexplained).sum()
}

/// How many signals one of these is, by the same count: deliveries of one alert are one.
pub fn signals(view: &SignalView) -> usize {
    if view.kind == "alert" { 1 } else { view.count }
}

fn accounting(page: &mut Page, diagnosis: &Diagnosis, writer: Writer<'_>) {
    let lang = page.lang;
    if diagnosis.accounting.is_empty() {
        return;
    }
    let zone = &writer.locale.zone;
    let frame = format!("{} – {} {}", zone.moment(diagnosis.since), zone.moment(diagnosis.at), zone.name());
    page.heading(&format!("{}{}", lang.signals(), lang.bracketed(&frame)));
    for line in &diagnosis.accounting {
        let mut parts = vec![
            format!("{} {}", line.explained, lang.explained()),
            format!("{} {}", line.unexplained, lang.open()),
            format!("{} {}", line.quiet, lang.quiet()),
        ];
        if line.duplicates > 0 {
            parts.push(format!("{} {}", line.duplicates, lang.duplicates()));
        }
        if line.set_aside > 0 {
            parts.push(format!("{} {}", line.set_aside, lang.aside()));
        }
        let unplaced = if line.unplaced > 0 { lang.bracketed(&format!("{} {}", line.unplaced, lang.nowhere())) } else { String::new() };
        page.item(&format!("{} = {}{unplaced}", lang.count(line.received, &line.kind), parts.join(" + ")));
    }
}

/// Whole percent; a small share is `<1%`, never `0%`.
pub fn percent(share: f64) -> String {
    if share < 0.01 { "<1%".to_owned() } else { format!("{:.0}%", share * 100.0) }
}
