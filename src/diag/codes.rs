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
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)*) => {
        impl Code { $(#[doc = $title] pub const $name: Code = Code($code);)* }
        /// Every code with its title, in order.
        pub fn all() -> &'static [(Code, &'static str)] {
            &[$((Code($code), $title)),*]
        }
    };
}

codes! {
    SYNTAX = "F1001", "a clause that cannot be parsed";
    UNKNOWN_CLAUSE = "F1002", "text that belongs to no clause";
    UNCLOSED_STRING = "F1003", "a string without its closing quote";
    UNCLOSED_BLOCK = "F1004", "a rule without its closing brace";
    OUTSIDE_BLOCK = "F1005", "text outside any rule";
    BAD_HEADER = "F1006", "a rule whose first line cannot be parsed";
    TOO_DEEP = "F1007", "a clause nested too deeply";
    DUPLICATE_CLAUSE = "F1008", "a clause that is allowed once but occurs twice";
    BAD_REGEX = "F1009", "an invalid regular expression";
    BAD_DATE = "F1010", "a date that does not exist";
    BAD_NUMBER = "F1011", "a number out of range";

    DUPLICATE_RULE = "F2001", "two rules with the same identifier";
    UNKNOWN_TYPE = "F2002", "a component type that the model does not declare";
    UNKNOWN_METRIC = "F2003", "a metric or attribute that the type does not have";
    UNKNOWN_STATE = "F2004", "a state that the type does not have";
    UNKNOWN_RELATION = "F2005", "a relation kind that the model does not declare";
    UNKNOWN_VARIABLE = "F2006", "a name that refers to no component, or no component named";
    UNIT_MISMATCH = "F2007", "two quantities that cannot be compared";
    IMPOSSIBLE_RELATION = "F2008", "a relation that is not possible between these types";
    DUTY_IMPACT = "F2009", "a TOP rule without an impact";
    DUTY_SIGNALS = "F2010", "a MET rule with fewer than two signals";
    DUTY_CASE = "F2011", "a CAS rule without its case, cause or solution";
    DUTY_CONDITION = "F2012", "a rule without a condition";
    DUTY_CONCLUSION = "F2013", "a MET rule without a fault";
    TREE_DANGLING = "F2014", "a branch to a question that the tree does not have, or a missing branch";
    TREE_LOOP = "F2015", "a path through a tree that never ends";
    TREE_UNREACHED = "F2016", "a question that no path reaches";
    WRONG_CLAUSE = "F2017", "a clause that this kind of rule does not have";
    UNKNOWN_RULE = "F2018", "a rule or tree that does not exist";
    DUPLICATE_VARIABLE = "F2019", "a variable declared twice";
    UNUSED_VARIABLE = "F2020", "a variable that no relation or condition uses";
    UNKNOWN_CASE = "F2021", "a case that is not in `cases/`";
    UNKNOWN_SCRIPT = "F2022", "a script function that does not exist, or takes a different number of arguments";
    UNKNOWN_COMPONENT = "F2023", "a component that the topology does not have";
    STATE_LOOP = "F2024", "states that depend on each other";
    NO_PLACE = "F2025", "a conclusion that names no component";
    UNKNOWN_ATTRIBUTE = "F2026", "a filter on an attribute that does not exist";
    OVERRIDE_LOOP = "F2027", "rules that override each other";
    UNKNOWN_SOURCE = "F2028", "a log source that the type does not have";
    NEVER = "F2029", "a condition that makes no sense";
    SUPPRESS_OWN = "F2030", "a `suppress` that covers the alert on which its rule rests";
    UNSAID_FAULT = "F2031", "a rule that does not say where the fault is";
    THIN_RULE = "F2032", "a CAS rule with nothing but one generic symptom";

    YAML = "F3001", "a file that is not valid YAML or JSON";
    UNKNOWN_KEY = "F3002", "an unknown key";
    WRONG_KIND = "F3003", "a value of the wrong kind";
    MISSING_KEY = "F3004", "a missing required key";
    DUPLICATE_ID = "F3005", "two components with the same id";
    UNKNOWN_COMPONENT_TYPE = "F3006", "a component of a type that the model does not declare";
    DANGLING_RELATION = "F3007", "a relation to a component that does not exist";
    RELATION_TYPES = "F3008", "a relation that is not possible between these types";
    ATTRIBUTE_KIND = "F3009", "an attribute of the wrong kind";
    CONTAINMENT_CYCLE = "F3010", "components that contain each other";
    UNKNOWN_RELATION_KIND = "F3011", "a relation of a kind that the model does not declare";
    DUPLICATE_RELATION = "F3012", "a relation declared twice";
    GROUP_NEED = "F3013", "a group that needs more members than it has";
    GROUP_MEMBER = "F3014", "a group with a member that does not exist";
    TYPE_PARENT = "F3015", "a type whose parent does not exist, or that is its own ancestor";
    BAD_UNIT = "F3016", "an unknown unit";
    UNKNOWN_ATTRIBUTE_KEY = "F3017", "an attribute that the type does not declare";
    SELF_RELATION = "F3018", "a relation from a component to itself";
    BAD_PLACEMENT = "F3019", "an invalid entry in `topology/sources.yaml`";
    DUPLICATE_NAME = "F3020", "the same name for two things";
    SECRET = "F3021", "a literal secret in a file";

    SIGNAL_FORMAT = "F4001", "a signal file that cannot be read";
    SIGNAL_ENTRY = "F4002", "a signal that cannot be read, rejected";
    SIGNAL_TIME = "F4003", "a signal with an impossible time, rejected";
    SIGNAL_ORDER = "F4004", "samples out of order (sorted) or with a duplicate time (last one kept)";
    SIGNAL_SKEW = "F4005", "a signal from the future";
    EMPTY_BUNDLE = "F4006", "a folder without signal files";
    SIGNAL_UNIT = "F4007", "values impossible for their unit";
    SIGNAL_UNPLACED = "F4008", "spans of services that match no component";
    SIGNAL_RELATION = "F4009", "calls between components without a relation in the topology";
    SCORER = "F4020", "a scorer that was not queried, or gave no valid answer";

    SCRIPT_SYNTAX = "F5001", "a script that cannot be compiled";
    SCRIPT_FAILED = "F5002", "a script that stopped with an error";
    SCRIPT_LIMIT = "F5003", "a script stopped by a limit";

    CASE_FILE = "F6001", "a case that cannot be read";
    FEEDBACK_ENTRY = "F6002", "an invalid line in `feedback.ndjson`";
    NOTHING_TO_CONFIRM = "F6003", "a diagnosis without a suspect to confirm";
    THIN_CASE = "F6004", "a case with nothing but one generic symptom";
    CASE_NAME = "F6005", "a name in a case that the topology, the model or the rules do not have";

    CHANGE_FILE = "F7001", "a change plan that cannot be read";
    CHANGE_ACTION = "F7002", "an unknown operation";
    CHANGE_TARGET = "F7003", "an unknown component, type or attribute in a change plan";
    CHANGE_EMPTY = "F7004", "a change plan without steps, or a step without components";
    CHANGE_WINDOW = "F7005", "a window that ends before it begins";
    CHANGE_GONE = "F7006", "an operation on a component that an earlier step removed";
    ANOMALY_TABLE = "F8001", "a table of values that cannot be read";
    ANOMALY_DATA = "F8002", "values or options that a model cannot use";
    ANOMALY_MODEL = "F8003", "a file that is not an anomaly model of this version";

    UNREADABLE = "F9001", "a file or folder that cannot be read";
    NOT_UTF8 = "F9002", "a text file that is not UTF-8";
    NO_PROJECT = "F9003", "not a project";
    TOO_LARGE = "F9004", "a file larger than the limit";
    UNWRITABLE = "F9005", "a file that cannot be written";
    USAGE = "F9006", "a command that cannot run with these arguments";
    OUTPUT = "F9007", "output that cannot be written";
    EXISTS = "F9008", "a file that would be overwritten";
    REMOTE = "F9009", "a server that cannot be reached";

    REQUEST = "F9501", "a request that cannot be read";
    NO_ADDRESS = "F9502", "an unknown endpoint";
    METHOD = "F9503", "a method that the endpoint does not accept";
    BODY_SIZE = "F9504", "a body larger than the limit";
    BODY_TYPE = "F9505", "an unsupported content type";
    UNUSABLE = "F9506", "a request with nothing that can be used";
    NO_MODEL = "F9507", "an unknown model";
    JOURNAL = "F9508", "a journal that cannot be read or written";
    LISTEN = "F9509", "an address that the server cannot listen on";
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = super::all().iter().map(|(c, _)| c.0).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "codes are in order, each once");
    }
}
