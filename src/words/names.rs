//! What the model names in both languages. A reader of Chinese sees the Chinese name, where the model has one.

use estate::{Member, Model};

use super::Lang;

impl Lang {
    /// A type of components.
    pub fn kind(self, model: &Model, kind: &str) -> String {
        self.either(kind, model.find_type(kind).and_then(|found| found.zh.as_deref()))
    }

    pub fn relation(self, model: &Model, kind: &str) -> String {
        self.either(kind, model.find_relation(kind).and_then(|found| found.zh.as_deref()))
    }

    /// A metric or an attribute of a type.
    pub fn member(self, model: &Model, kind: &str, member: &str) -> String {
        let found = model.member(kind, member).and_then(|found| match found {
            Member::Metric(metric) => metric.zh.as_deref(),
            Member::Attribute(attribute) => attribute.zh.as_deref(),
        });
        self.either(member, found)
    }

    /// A named state of a type, such as `failing_over`.
    pub fn named_state(self, model: &Model, kind: &str, state: &str) -> String {
        self.either(state, model.state(kind, state).and_then(|found| found.zh.as_deref()))
    }

    fn either(self, name: &str, chinese: Option<&str>) -> String {
        match self {
            Lang::En => name.to_owned(),
            Lang::Zh => chinese.unwrap_or(name).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Lang;

    #[test]
    fn names_of_the_model() {
        let model = estate::base_model();
        assert_eq!(Lang::En.kind(&model, "database"), "database");
        assert_eq!(Lang::Zh.kind(&model, "database"), "数据库");
        assert_eq!(Lang::Zh.kind(&model, "vault"), "vault", "unknown to the model");
        assert_eq!(Lang::Zh.relation(&model, "depends_on"), "依赖");
        // Inherited from the root type.
        assert_eq!(Lang::Zh.member(&model, "database", "cpu_usage"), "CPU使用率");
        assert_eq!(Lang::Zh.named_state(&model, "database", "unavailable"), "不可用");
    }
}
