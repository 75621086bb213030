//! All diagnostic codes, in one table. A code is never reused; a retired one keeps its line.

/// A stable code: `F` and four digits. The first digit names the area:
/// 1 the text of a rule, 2 the meaning of a rule, 3 the topology, 4 signals, 5 scripts, 6 cases, 7 change plans, 8 anomaly models,
/// 9 files, folders and commands, 95 requests to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $chinese:literal;)*) => {
        impl Code { $(#[doc = $title] pub const $name: Code = Code($code);)* }
        /// Every code with its title in English and in Chinese, in order.
        pub fn all() -> &'static [(Code, &'static str, &'static str)] {
            &[$((Code($code), $title, $chinese)),*]
        }
    };
}

codes! {
    SYNTAX = "F1001", "a clause that cannot be parsed", "无法解析的子句";
    UNKNOWN_CLAUSE = "F1002", "text that belongs to no clause", "不属于任何子句的文本";
    UNCLOSED_STRING = "F1003", "a string without its closing quote", "缺少右引号的字符串";
    UNCLOSED_BLOCK = "F1004", "a rule without its closing brace", "缺少右花括号的规则";
    OUTSIDE_BLOCK = "F1005", "text outside any rule", "规则之外的文本";
    BAD_HEADER = "F1006", "a rule whose first line cannot be parsed", "首行无法解析的规则";
    TOO_DEEP = "F1007", "a clause nested too deeply", "嵌套过深的子句";
    DUPLICATE_CLAUSE = "F1008", "a clause that is allowed once but occurs twice", "只能出现一次的子句重复出现";
    BAD_REGEX = "F1009", "an invalid regular expression", "无效的正则表达式";
    BAD_DATE = "F1010", "a date that does not exist", "不存在的日期";
    BAD_NUMBER = "F1011", "a number out of range", "超出范围的数字";

    DUPLICATE_RULE = "F2001", "two rules with the same identifier", "标识符重复的规则";
    UNKNOWN_TYPE = "F2002", "a component type that the model does not declare", "模型未声明的组件类型";
    UNKNOWN_METRIC = "F2003", "a metric or attribute that the type does not have", "该类型没有的指标或属性";
    UNKNOWN_STATE = "F2004", "a state that the type does not have", "该类型没有的状态";
    UNKNOWN_RELATION = "F2005", "a relation kind that the model does not declare", "模型未声明的关系类型";
    UNKNOWN_VARIABLE = "F2006", "a name that refers to no component, or no component named", "未指向任何组件的名称，或未指明组件";
    UNIT_MISMATCH = "F2007", "two quantities that cannot be compared", "无法相互比较的两个量";
    IMPOSSIBLE_RELATION = "F2008", "a relation that is not possible between these types", "这两个类型之间不允许的关系";
    DUTY_IMPACT = "F2009", "a TOP rule without an impact", "没有影响范围的 TOP 规则";
    DUTY_SIGNALS = "F2010", "a MET rule with fewer than two signals", "信号少于两个的 MET 规则";
    DUTY_CASE = "F2011", "a CAS rule without its case, cause or solution", "缺少案例、根因或方案的 CAS 规则";
    DUTY_CONDITION = "F2012", "a rule without a condition", "没有条件的规则";
    DUTY_CONCLUSION = "F2013", "a MET rule without a fault", "没有故障结论的 MET 规则";
    TREE_DANGLING = "F2014", "a branch to a question that the tree does not have, or a missing branch", "分支指向决策树中不存在的问题，或缺少分支";
    TREE_LOOP = "F2015", "a path through a tree that never ends", "决策树中永不结束的路径";
    TREE_UNREACHED = "F2016", "a question that no path reaches", "任何路径都到达不了的问题";
    WRONG_CLAUSE = "F2017", "a clause that this kind of rule does not have", "该类规则不支持的子句";
    UNKNOWN_RULE = "F2018", "a rule or tree that does not exist", "不存在的规则或决策树";
    DUPLICATE_VARIABLE = "F2019", "a variable declared twice", "重复声明的变量";
    UNUSED_VARIABLE = "F2020", "a variable that no relation or condition uses", "没有关系或条件使用的变量";
    UNKNOWN_CASE = "F2021", "a case that is not in `cases/`", "`cases/` 中没有的案例";
    UNKNOWN_SCRIPT = "F2022", "a script function that does not exist, or takes a different number of arguments", "脚本函数不存在，或参数个数不符";
    UNKNOWN_COMPONENT = "F2023", "a component that the topology does not have", "拓扑中没有的组件";
    STATE_LOOP = "F2024", "states that depend on each other", "相互依赖的状态";
    NO_PLACE = "F2025", "a conclusion that names no component", "未指明组件的结论";
    UNKNOWN_ATTRIBUTE = "F2026", "a filter on an attribute that does not exist", "按不存在的属性筛选";
    OVERRIDE_LOOP = "F2027", "rules that override each other", "互相优先于对方的规则";
    UNKNOWN_SOURCE = "F2028", "a log source that the type does not have", "该类型没有的日志源";
    NEVER = "F2029", "a condition that makes no sense", "没有意义的条件";
    SUPPRESS_OWN = "F2030", "a `suppress` that covers the alert on which its rule rests", "`suppress` 覆盖了规则自身所依据的告警";
    UNSAID_FAULT = "F2031", "a rule that does not say where the fault is", "没有说明故障在哪个组件的规则";
    THIN_RULE = "F2032", "a CAS rule with nothing but one generic symptom", "只有一个通用症状的 CAS 规则";
    UNKNOWN_REASON = "F2033", "an event with a reason that Kubernetes is not known to give", "事件原因不是 Kubernetes 已知的原因";

    YAML = "F3001", "a file that is not valid YAML or JSON", "不是有效 YAML 或 JSON 的文件";
    UNKNOWN_KEY = "F3002", "an unknown key", "未知的键";
    WRONG_KIND = "F3003", "a value of the wrong kind", "值的类型不对";
    MISSING_KEY = "F3004", "a missing required key", "缺少必需的键";
    DUPLICATE_ID = "F3005", "two components with the same id", "id 重复的组件";
    UNKNOWN_COMPONENT_TYPE = "F3006", "a component of a type that the model does not declare", "组件的类型未在模型中声明";
    DANGLING_RELATION = "F3007", "a relation to a component that does not exist", "关系指向不存在的组件";
    RELATION_TYPES = "F3008", "a relation that is not possible between these types", "这两个类型之间不允许的关系";
    ATTRIBUTE_KIND = "F3009", "an attribute of the wrong kind", "属性的类型不对";
    CONTAINMENT_CYCLE = "F3010", "components that contain each other", "相互包含的组件";
    UNKNOWN_RELATION_KIND = "F3011", "a relation of a kind that the model does not declare", "关系的类型未在模型中声明";
    DUPLICATE_RELATION = "F3012", "a relation declared twice", "重复声明的关系";
    GROUP_NEED = "F3013", "a group that needs more members than it has", "冗余组所需成员数超过实际成员数";
    GROUP_MEMBER = "F3014", "a group with a member that does not exist", "冗余组的成员不存在";
    TYPE_PARENT = "F3015", "a type whose parent does not exist, or that is its own ancestor", "父类型不存在，或类型是自己的祖先";
    BAD_UNIT = "F3016", "an unknown unit", "未知的单位";
    UNKNOWN_ATTRIBUTE_KEY = "F3017", "an attribute that the type does not declare", "该类型未声明的属性";
    SELF_RELATION = "F3018", "a relation from a component to itself", "组件与自身的关系";
    BAD_PLACEMENT = "F3019", "an invalid entry in `topology/sources.yaml`", "`topology/sources.yaml` 中的无效条目";
    DUPLICATE_NAME = "F3020", "the same name for two things", "同一名称指两个对象";
    SECRET = "F3021", "a literal secret in a file", "文件中的明文密钥";
    EXTENDS = "F3022", "more is said about a component that nothing declares, or something that cannot be", "补充说明的组件不存在，或补充内容不成立";
    IDLE_MAPPING = "F3023", "an entry of `topology/sources.yaml` that repeats another one, has no effect, or distinguishes nothing", "`topology/sources.yaml` 中重复、不起作用或没有区分作用的条目";
    UNSAID_AGGREGATE = "F3024", "a metric that rules read, without `aggregate`: several series of one component would be averaged", "规则读取的指标未说明 `aggregate`：同一组件的多条序列会被取平均值";
    INSTANCE_LOOP = "F3025", "a type that is an instance of itself", "类型是自己的实例";
    NO_COMPONENT = "F3026", "rules, but no component to which they could apply", "有规则，但没有可应用的组件";

    SIGNAL_FORMAT = "F4001", "a signal file that cannot be read", "无法读取的信号文件";
    SIGNAL_ENTRY = "F4002", "a signal that cannot be read, rejected", "无法读取的信号，已拒绝";
    SIGNAL_TIME = "F4003", "a signal with an impossible time, rejected", "时间无效的信号，已拒绝";
    SIGNAL_ORDER = "F4004", "samples out of order (sorted) or with a duplicate time (last one kept)", "样本乱序（已排序）或时间重复（保留最后一个）";
    SIGNAL_SKEW = "F4005", "a signal from the future", "来自未来的信号";
    EMPTY_BUNDLE = "F4006", "a folder without signal files", "没有信号文件的目录";
    SIGNAL_UNIT = "F4007", "values impossible for their unit", "与单位不符的值";
    SIGNAL_UNPLACED = "F4008", "spans of services that match no component", "服务未匹配到任何组件的 Span";
    SIGNAL_RELATION = "F4009", "calls between components without a relation in the topology", "调用双方在拓扑中没有关系";
    SIGNAL_COUNTER = "F4010", "a series that is or may be a counter, or a counter that cannot be read", "是或可能是计数器的序列，或无法读取的计数器";
    SIGNAL_COMBINED = "F4011", "several series of one component, averaged because the model does not say how they combine", "模型未说明如何合并，同一组件的多条序列被取平均值";
    SCORER = "F4020", "a scorer that was not queried, or gave no valid answer", "评分服务未被查询，或未给出有效结果";

    SCRIPT_SYNTAX = "F5001", "a script that cannot be compiled", "无法编译的脚本";
    SCRIPT_FAILED = "F5002", "a script that stopped with an error", "因错误中止的脚本";
    SCRIPT_LIMIT = "F5003", "a script stopped by a limit", "因超限中止的脚本";

    CASE_FILE = "F6001", "a case that cannot be read", "无法读取的案例";
    FEEDBACK_ENTRY = "F6002", "an invalid line in `feedback.ndjson`", "`feedback.ndjson` 中的无效行";
    NOTHING_TO_CONFIRM = "F6003", "a diagnosis without a suspect to confirm", "诊断没有可确认的疑似根因";
    THIN_CASE = "F6004", "a case with nothing but one generic symptom", "只有一个通用症状的案例";
    CASE_NAME = "F6005", "a name in a case that the topology, the model or the rules do not have", "案例中的名称在拓扑、模型或规则中不存在";

    CHANGE_FILE = "F7001", "a change plan that cannot be read", "无法读取的变更计划";
    CHANGE_ACTION = "F7002", "an unknown operation", "未知的操作";
    CHANGE_TARGET = "F7003", "an unknown component, type or attribute in a change plan", "变更计划中未知的组件、类型或属性";
    CHANGE_EMPTY = "F7004", "a change plan without steps, or a step without components", "变更计划没有步骤，或步骤没有组件";
    CHANGE_WINDOW = "F7005", "a window that ends before it begins", "结束早于开始的窗口";
    CHANGE_GONE = "F7006", "an operation on a component that an earlier step removed", "操作的组件已被前面的步骤移除";
    ANOMALY_TABLE = "F8001", "a table of values that cannot be read", "无法读取的数据表";
    ANOMALY_DATA = "F8002", "values or options that a model cannot use", "模型无法使用的数据或选项";
    ANOMALY_MODEL = "F8003", "a file that is not an anomaly model of this version", "不是本版本的异常模型文件";

    UNREADABLE = "F9001", "a file or folder that cannot be read", "无法读取的文件或目录";
    NOT_UTF8 = "F9002", "a text file that is not UTF-8", "不是 UTF-8 的文本文件";
    NO_PROJECT = "F9003", "not a project", "不是项目";
    TOO_LARGE = "F9004", "a file larger than the limit", "超过大小上限的文件";
    UNWRITABLE = "F9005", "a file that cannot be written", "无法写入的文件";
    USAGE = "F9006", "a command that cannot run with these arguments", "命令无法以这些参数执行";
    OUTPUT = "F9007", "output that cannot be written", "输出无法写入";
    EXISTS = "F9008", "a file that would be overwritten", "会被覆盖的文件";
    REMOTE = "F9009", "a server that cannot be reached", "无法访问的服务器";
    UNKNOWN_NAME = "F9010", "a name that nothing has", "没有任何对象使用的名称";

    REQUEST = "F9501", "a request that cannot be read", "无法读取的请求";
    NO_ADDRESS = "F9502", "an unknown endpoint", "未知的接口";
    METHOD = "F9503", "a method that the endpoint does not accept", "接口不支持的方法";
    BODY_SIZE = "F9504", "a body larger than the limit", "超过上限的请求体";
    BODY_TYPE = "F9505", "an unsupported content type", "不支持的内容类型";
    UNUSABLE = "F9506", "a request with nothing that can be used", "没有可用内容的请求";
    NO_MODEL = "F9507", "an unknown model", "未知的模型";
    JOURNAL = "F9508", "a journal that cannot be read or written", "无法读写的日志文件";
    LISTEN = "F9509", "an address that the server cannot listen on", "服务器无法监听的地址";
    JOURNAL_DAMAGED = "F9510", "a journal with damaged entries between sound ones", "完好记录之间有损坏记录的日志文件";

    HOST = "F9520", "a name by which this server is not called, or a page that may not write", "不属于本服务器的主机名，或无权写入的网页";
    NO_TOKEN = "F9521", "a request without a valid token", "没有有效令牌的请求";
    ROLE = "F9522", "a token whose role is not enough", "令牌的角色权限不足";
    BUSY = "F9523", "a request for which there was no time or no room", "因超时或资源不足而未处理的请求";
    TOKENS = "F9524", "tokens that cannot be read or changed", "无法读取或更改的令牌";
    TLS = "F9525", "a certificate that cannot be used", "无法使用的证书";
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = super::all().iter().map(|(c, ..)| c.0).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "codes are in order, each once");
    }
}
