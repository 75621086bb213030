#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol { Alerts }
impl Protocol {
    pub fn code(self) -> u8 { 1 }
    pub fn of_code(code: u8) -> Option<Self> { (code == 1).then_some(Self::Alerts) }
    pub fn is_alerts(self) -> bool { true }
    pub fn name(self) -> &'static str { "alerts" }
}
#[derive(Debug, Default)]
pub struct Taken { pub facts: signal::Facts, pub accepted: usize }
#[derive(Debug)]
pub struct Refusal;
#[derive(Debug,Clone,Copy)] pub enum ContentEncoding { Plain }
pub fn decompress(_: ContentEncoding, body: &[u8], _: usize) -> Result<std::borrow::Cow<'_, [u8]>, Refusal> { Ok(body.into()) }
pub fn read(_: Protocol, _: &[u8], _: value::Time, _: &signal::Resolver<'_>) -> Result<Taken, Refusal> { Ok(Taken::default()) }
