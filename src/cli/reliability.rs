//! A printed table of how often answers of each confidence were right.

use knowledge::Reliability;

/// One line for each bin, then the scores; `no answers` if there are none.
pub fn table(title: &str, reliability: &Reliability) -> String {
    let Some((brier, ece)) = reliability.brier.zip(reliability.ece) else { return format!("{title}: no answers\n") };
    let answers = reliability.answers;
    let mut text = format!("{title}: {answers} {}\n", if answers == 1 { "answer" } else { "answers" });
    text.push_str("  confidence   answers    mean   right   95% interval\n");
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
    text.push_str(&format!("  Brier score {brier:.3}, expected calibration error {ece:.3}\n"));
    text
}
