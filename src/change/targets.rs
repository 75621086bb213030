//! Response and recovery targets of the business tiers.
//!
//! | tier | RPO | RTO | detect – acknowledge – resolve |
//! | --- | --- | --- | --- |
//! | core | 0 to 5 min | 5 to 30 min | 1 – 5 – 20 min |
//! | important | 15 to 60 min | 1 to 2 h | 5 – 15 – 60 min |
//! | general | 1 to 12 h | 4 to 24 h | 15 – 30 – 120 min |
//! | minor | 12 to 72 h | 24 to 72 h | 15 – 30 – 120 min |
//!
//! RPO and RTO are reference values; an organization with its own targets compares with these.

use estate::Tier;

use super::view::{Minutes, Response, TargetView};

const HOUR: i64 = 60;

pub fn targets(tier: Tier) -> TargetView {
    let (rpo, rto, (detect, acknowledge, resolve)) = match tier {
        Tier::Core => ((0, 5), (5, 30), (1, 5, 20)),
        Tier::Important => ((15, 60), (HOUR, 2 * HOUR), (5, 15, 60)),
        Tier::General => ((HOUR, 12 * HOUR), (4 * HOUR, 24 * HOUR), (15, 30, 120)),
        Tier::Minor => ((12 * HOUR, 72 * HOUR), (24 * HOUR, 72 * HOUR), (15, 30, 120)),
    };
    TargetView {
        rpo: Minutes { from: rpo.0, to: rpo.1 },
        rto: Minutes { from: rto.0, to: rto.1 },
        response: Response { detect, acknowledge, resolve },
    }
}
