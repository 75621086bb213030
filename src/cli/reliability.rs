//! A printed table of how often answers of each confidence were right.

use knowledge::Reliability;

use super::Lang;
use super::columns::{left, right};

/// One line for each bin, then the scores; nothing but that if there are no answers.
pub fn table(title: &str, reliability: &Reliability, lang: Lang) -> String {
    let mut text = format!("{}\n", lang.answers(title, reliability.answers));
    let Some((brier, ece)) = reliability.brier.zip(reliability.ece) else { return text };
    let [confidence, answers, mean, share, interval] = lang.confidence_heads();
    text.push_str(&format!("  {}  {}  {}  {}   {interval}\n", left(confidence, 11), right(answers, 7), right(mean, 6), right(share, 6)));
    for bin in &reliability.bins {
        text.push_str(&format!(
            "  {:>3.0}% – {:>3.0}%  {:>7}  {:>5.1}%  {:>5.1}%  {:>5.1}% – {:.1}%\n",
            bin.from * 100.0,
            bin.to * 100.0,
            bin.n,
            bin.mean_confidence * 100.0,
            bin.share_right * 100.0,
            bin.low * 100.0,
            bin.high * 100.0
        ));
    }
    text.push_str(&format!("  {}\n", lang.scores_of_confidence(brier, ece)));
    text
}
