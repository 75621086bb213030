//! Words of `faultscope eval`, and of the tables of how often answers of a confidence were right.

use knowledge::{Calibration, Layer, Unusable};

use super::Lang;
use super::lang::words;

words! {
    without_fault: "no fault", "无故障";
    all_layers: "all", "全部";
}

impl Lang {
    /// A layer in one word, for tables; `None`: no layer named a suspect.
    pub fn layer_short(self, layer: Option<Layer>) -> &'static str {
        match (self, layer) {
            (Lang::En, Some(layer)) => layer.name(),
            (Lang::En, None) => "none",
            (Lang::Zh, Some(layer)) => self.layer_name(layer),
            (Lang::Zh, None) => "无",
        }
    }

    /// The true components of a bundle, and the suspects.
    pub fn expected_and_got(self, expected: &str, got: &str) -> String {
        match self {
            Lang::En => format!("expected {expected}  got {got}"),
            Lang::Zh => format!("应为 {expected}  诊断为 {got}"),
        }
    }

    /// Heads of the table of faults; at most 28, 24, 7, 7 and 7 columns wide.
    pub fn fault_heads(self) -> [&'static str; 5] {
        match self {
            Lang::En => ["group", "fault", "bundles", "top-1", "top-3"],
            Lang::Zh => ["分组", "故障", "数据包", "top-1", "top-3"],
        }
    }

    /// Heads of the table of groups; at most 28, 6, 7, 7, 7, 9, 10, 11, 9 and 9 columns wide, and one of any width.
    pub fn group_heads(self) -> [&'static str; 11] {
        match self {
            Lang::En => ["group", "faults", "top-1", "top-3", "top-5", "healthy", "abstained", "rule fired", "median", "max", "layers"],
            Lang::Zh => ["分组", "有故障", "top-1", "top-3", "top-5", "无故障", "未误报", "规则误报", "耗时中位", "最长耗时", "诊断依据"],
        }
    }

    /// A bundle that could not be used, and why.
    pub fn failed(self, bundle: &str, why: &str) -> String {
        match self {
            Lang::En => format!("failed: {bundle}: {why}"),
            Lang::Zh => format!("失败：{bundle}：{why}"),
        }
    }

    /// Why a recording cannot be used.
    pub fn unusable(self, why: &Unusable) -> String {
        match self {
            Lang::En => match why {
                Unusable::NoRootCause => "the case has no root cause".to_owned(),
                Unusable::NoComponent => "its root cause names no component".to_owned(),
                Unusable::NoSignals => "the case has no recorded signals next to it to measure on".to_owned(),
                Unusable::NoFolder => "the journal names this folder, but it does not exist".to_owned(),
                Unusable::Undecided => "the journal names no root cause".to_owned(),
                Unusable::NoFault => "it names a component but no fault".to_owned(),
                Unusable::Both => "`expected.json` has both `root_causes` and `no_fault`".to_owned(),
                Unusable::Neither => "`expected.json` needs `root_causes` or `no_fault`".to_owned(),
                Unusable::Invalid(error) => format!("`expected.json` is invalid: {error}"),
                Unusable::Unreadable(error) => error.clone(),
            },
            Lang::Zh => match why {
                Unusable::NoRootCause => "案例没有根因".to_owned(),
                Unusable::NoComponent => "根因没有指明组件".to_owned(),
                Unusable::NoSignals => "案例目录中没有录制的信号，无法用于验证".to_owned(),
                Unusable::NoFolder => "反馈日志提到的目录不存在".to_owned(),
                Unusable::Undecided => "反馈日志没有记录根因".to_owned(),
                Unusable::NoFault => "只指明了组件，没有说明故障".to_owned(),
                Unusable::Both => "`expected.json` 同时写了 `root_causes` 和 `no_fault`".to_owned(),
                Unusable::Neither => "`expected.json` 必须写明 `root_causes` 或 `no_fault`".to_owned(),
                Unusable::Invalid(error) => format!("`expected.json` 无效：{error}"),
                Unusable::Unreadable(error) => error.clone(),
            },
        }
    }

    /// The calibration that fits the bundles.
    pub fn fitted(self, fitted: Calibration) -> String {
        let Calibration { slope, intercept } = fitted;
        match self {
            Lang::En => format!("calibration of the anomaly scores of these bundles: slope {slope:.3}, intercept {intercept:.3}"),
            Lang::Zh => format!("按这些数据包拟合的异常评分校准：斜率 {slope:.3}，截距 {intercept:.3}"),
        }
    }

    /// Over a table of confidences: whose, and of how many answers.
    pub fn answers(self, whose: &str, answers: usize) -> String {
        match (self, answers) {
            (Lang::En, 0) => format!("{whose}: no answers"),
            (Lang::En, 1) => format!("{whose}: 1 answer"),
            (Lang::En, _) => format!("{whose}: {answers} answers"),
            (Lang::Zh, 0) => format!("{whose}：没有诊断结果"),
            (Lang::Zh, _) => format!("{whose}：{answers} 个诊断结果"),
        }
    }

    /// Heads of a table of confidences; at most 11, 7, 6 and 6 columns wide, and one of any width.
    pub fn confidence_heads(self) -> [&'static str; 5] {
        match self {
            Lang::En => ["confidence", "answers", "mean", "right", "95% interval"],
            Lang::Zh => ["置信度", "结果数", "平均", "正确率", "95% 区间"],
        }
    }

    /// How far confidences are from the truth.
    pub fn scores_of_confidence(self, brier: f64, ece: f64) -> String {
        match self {
            Lang::En => format!("Brier score {brier:.3}, expected calibration error {ece:.3}"),
            Lang::Zh => format!("Brier 分数 {brier:.3}，期望校准误差（ECE）{ece:.3}"),
        }
    }
}
