//! Words of `faultscope walk`: questions of a decision tree, and who answered them.

use compile::plan::Answer;

use super::Lang;
use super::lang::words;

words! {
    yes: "yes", "是";
    no: "no", "否";
    answered_by_data: " (data)", "（数据）";
}

impl Lang {
    /// An answer; one in the words of the tree stays as written.
    pub fn answer(self, answer: &Answer) -> &str {
        match answer {
            Answer::Yes => self.yes(),
            Answer::No => self.no(),
            Answer::Text(text) => text,
        }
    }

    /// What the data answer, and why.
    pub fn data_say(self, answer: &str, evidence: &str) -> String {
        match self {
            Lang::En => format!("{answer} — from the data: {evidence}"),
            Lang::Zh => format!("{answer} — 由数据判定：{evidence}"),
        }
    }

    /// Why a person has to answer.
    pub fn data_do_not_say(self, evidence: &str) -> String {
        match self {
            Lang::En => format!("the data give no answer: {evidence}"),
            Lang::Zh => format!("数据无法判定：{evidence}"),
        }
    }

    /// The walk stops, for want of an answer.
    pub fn answers_used_up(self, choices: &str) -> String {
        match self {
            Lang::En => format!("not answered: `--answers` has no more entries; use {choices}"),
            Lang::Zh => format!("未回答：`--answers` 中的答案已用完；可选答案：{choices}"),
        }
    }

    pub fn unused_answers(self, answers: &str) -> String {
        match self {
            Lang::En => format!("warning: unused answers: {answers}"),
            Lang::Zh => format!("警告：以下答案未用到：{answers}"),
        }
    }

    /// The questions and answers that led to the end.
    pub fn path_taken(self, steps: &str) -> String {
        match self {
            Lang::En => format!("path: {steps}"),
            Lang::Zh => format!("路径：{steps}"),
        }
    }
}
