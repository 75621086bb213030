//! Words of `faultscope bench`: how fast the matcher is.

use super::diagnosis::counted;

use engine::matcher::Stats;

use super::Lang;
use super::lang::words;

words! {
    no_facts: "no facts up to the requested time", "在指定时间之前没有任何事实";
    not_replayed: "not replayed", "未能回放";
}

impl Lang {
    pub fn loaded(self, rules: usize, components: usize, ms: f64) -> String {
        match self {
            Lang::En => format!("{} over {}, loaded in {ms:.0} ms", counted(rules, "rule"), counted(components, "component")),
            Lang::Zh => format!("{rules} 条规则，{components} 个组件，加载耗时 {ms:.0} ms"),
        }
    }

    /// Heads of the table of replays; at most 32, 8, 10, 9, 9, 9, 22, 12 and 11 columns wide.
    pub fn replay_heads(self) -> [&'static str; 9] {
        match self {
            Lang::En => ["recording", "facts", "facts/s", "median", "99.9%", "max", "started/changed/ended", "findings", "every rule"],
            Lang::Zh => ["录制数据", "事实", "事实/秒", "中位数", "99.9%", "最大", "开始/变化/结束", "列出结论", "逐条评估"],
        }
    }

    /// What the columns mean.
    pub fn replay_legend(self) -> &'static str {
        match self {
            Lang::En => {
                "facts/s to max: wall time per fact; started/changed/ended: findings during the replay; findings: time to list all at the end;\n\
                 every rule: the same without the matcher, by evaluating every rule once"
            }
            Lang::Zh => {
                "事实/秒至最大：处理每条事实的实际耗时；开始/变化/结束：回放期间结论的变化次数；列出结论：结束时列出全部结论的耗时；\n\
                 逐条评估：不用匹配器，把每条规则评估一遍的耗时"
            }
        }
    }

    /// What the matcher holds at the end of a replay.
    pub fn holds(self, state: &Stats) -> String {
        let Stats { series, samples, signals, instances, unread, .. } = state;
        match self {
            Lang::En => format!(
                "holds {series} series, {}, {}, {}; {} unused",
                counted(samples, "sample"),
                counted(signals, "signal"),
                counted(instances, "rule binding"),
                counted(unread, "fact")
            ),
            Lang::Zh => {
                format!("保存了 {series} 条指标序列、{samples} 个采样、{signals} 个信号、{instances} 组规则绑定；{unread} 条事实未用到")
            }
        }
    }

    /// What it let go because of its limits.
    pub fn let_go(self, state: &Stats) -> String {
        let Stats { samples_let_go, signals_let_go, instances_not_made, .. } = state;
        match self {
            Lang::En => format!(
                "limits reached: {} and {} dropped, {} not evaluated",
                counted(samples_let_go, "sample"),
                counted(signals_let_go, "signal"),
                counted(instances_not_made, "rule binding")
            ),
            Lang::Zh => {
                format!("达到上限：丢弃了 {samples_let_go} 个采样和 {signals_let_go} 个信号，{instances_not_made} 组规则绑定未评估")
            }
        }
    }

    pub fn scripts_cost(self, rules: &str) -> String {
        match self {
            Lang::En => format!("rules with scripts cost most, because a script runs again at each sample that it may read: {rules}"),
            Lang::Zh => format!("带脚本的规则开销最大，因为它可能读取的每个采样都会使脚本重新运行：{rules}"),
        }
    }
}
