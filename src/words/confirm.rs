//! Words of `faultscope confirm`: an entry of the journal, and what it changes.

use knowledge::Record;
use knowledge::feedback::{Entry, GivenAnswer, Verdict};

use super::{Lang, Locale};

impl Lang {
    pub fn recorded_in(self, path: &str, entry: &str) -> String {
        match self {
            Lang::En => format!("recorded in {path}: {entry}"),
            Lang::Zh => format!("已记录到 {path}：{entry}"),
        }
    }

    /// The entry about the same bundle that no longer counts.
    pub fn replaces(self, entry: &str) -> String {
        match self {
            Lang::En => format!("replaces: {entry}"),
            Lang::Zh => format!("取代原记录：{entry}"),
        }
    }

    pub fn without_effect(self) -> &'static str {
        match self {
            Lang::En => "recorded, but without effect: only similar cases and anomaly scores are weighed by feedback",
            Lang::Zh => "已记录，但不影响后续诊断：只有相似案例和异常评分会按反馈调整",
        }
    }

    pub fn no_feedback_yet(self, path: &str) -> String {
        match self {
            Lang::En => format!("{path}: no answers confirmed or corrected yet"),
            Lang::Zh => format!("{path}：还没有确认或更正过的诊断结果"),
        }
    }

    /// The weight of a case, from how often it was right.
    pub fn case_weight(self, case: &str, record: Record) -> String {
        let weight = record.weight();
        match self {
            Lang::En => {
                let said = match record.proposed {
                    0 => "no feedback anymore".to_owned(),
                    proposed => super::reasons::track_record(record.right, proposed),
                };
                let silent = if record.may_speak() { "" } else { "; no longer proposed" };
                format!("weight of case {case}: {weight:.2} ({said}){silent}")
            }
            Lang::Zh => {
                let Record { right, proposed } = record;
                let said =
                    if proposed == 0 { "已没有反馈".to_owned() } else { format!("推荐过 {proposed} 次，{right} 次正确") };
                let silent = if record.may_speak() { "" } else { "；不再推荐" };
                format!("案例 {case} 的权重：{weight:.2}（{said}）{silent}")
            }
        }
    }

    /// What confidences of the anomaly layer mean, from answers that people judged.
    pub fn calibrated(self, answers: usize, shares: &[(f64, f64)]) -> String {
        let shares: Vec<String> = shares.iter().map(|(said, means)| format!("{:.0}% → {:.0}%", said * 100.0, means * 100.0)).collect();
        match self {
            Lang::En => {
                let noun = if answers == 1 { "answer" } else { "answers" };
                format!("anomaly scores, calibrated with {answers} judged {noun}: {}", shares.join(", "))
            }
            Lang::Zh => format!("异常评分，按 {answers} 个已判定的诊断结果校准：{}", shares.join("，")),
        }
    }

    fn feedback_verdict(self, verdict: Verdict) -> &'static str {
        match (self, verdict) {
            (Lang::En, verdict) => verdict.name(),
            (Lang::Zh, Verdict::Confirmed) => "已确认",
            (Lang::Zh, Verdict::Corrected) => "已更正",
            (Lang::Zh, Verdict::NoFault) => "确认无故障",
        }
    }
}

impl Locale {
    /// One entry of the journal in one line.
    pub fn feedback(&self, entry: &Entry) -> String {
        let lang = self.lang;
        let named = |component: Option<&str>, fault: &str| {
            let component = component.unwrap_or("—");
            match (lang, fault.is_empty()) {
                (_, true) => component.to_owned(),
                (Lang::En, false) => format!("{component}: {fault}"),
                (Lang::Zh, false) => format!("{component}：{fault}"),
            }
        };
        let broke =
            entry.root.as_ref().map_or_else(|| lang.without_fault().to_owned(), |root| named(Some(root.component.as_str()), &root.fault));
        let given = |answer: &GivenAnswer| named(answer.component.as_deref(), &answer.fault);
        let by_layer = |answer: &GivenAnswer| {
            let (layer, confidence) = (lang.layer_short(Some(answer.layer)), answer.confidence * 100.0);
            match lang {
                Lang::En => format!(" ({layer}, {confidence:.0}%)"),
                Lang::Zh => format!("（{layer}，{confidence:.0}%）"),
            }
        };
        let said = match (entry.verdict, &entry.answer) {
            (Verdict::Confirmed, Some(answer)) if entry.root.is_none() => format!("{}{}", given(answer), by_layer(answer)),
            (Verdict::Confirmed, Some(answer)) => format!("{broke}{}", by_layer(answer)),
            (Verdict::Corrected | Verdict::NoFault, Some(answer)) => {
                let (given, by_layer) = (given(answer), by_layer(answer));
                match lang {
                    Lang::En => format!("{broke}, not {given}{by_layer}"),
                    Lang::Zh => format!("{broke}，而不是 {given}{by_layer}"),
                }
            }
            (Verdict::Confirmed | Verdict::Corrected | Verdict::NoFault, None) => match lang {
                Lang::En => format!("{broke}; no suspect was named"),
                Lang::Zh => format!("{broke}；诊断没有给出疑似根因"),
            },
        };
        let Entry { bundle, by, note, .. } = entry;
        let (time, verdict) = (self.instant(entry.time), lang.feedback_verdict(entry.verdict));
        let text = match (lang, note.is_empty()) {
            (Lang::En, true) => format!("{time} {bundle} {verdict}: {said}; by {by}"),
            (Lang::En, false) => format!("{time} {bundle} {verdict}: {said}; by {by} — {note}"),
            (Lang::Zh, true) => format!("{time} {bundle} {verdict}：{said}；确认人：{by}"),
            (Lang::Zh, false) => format!("{time} {bundle} {verdict}：{said}；确认人：{by}；备注：{note}"),
        };
        // Text that people wrote may contain line breaks.
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
