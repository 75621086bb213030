//! What signals show, laid over the estate of a project: calls of traces, and pods that nobody listed.
//!
//! Two estates come of it. Diagnoses use the one that has the calls. Pods are in the other one only, which answers questions about the
//! estate: signals about them stay on their workloads, with the names of the pods. A pod that is replaced is seen for hours after it has
//! gone, so a condition on every pod of a service could not hold any more.

use std::sync::Arc;

use diag::{Text, text};
use estate::{Declared, Removed, Snapshot};
use signal::{MOST_PODS, Seen};

/// See the module.
#[derive(Debug, Clone)]
pub struct Laid {
    /// What is declared, and calls. Its components have the numbers that they have in the estate of the project.
    pub estate: Arc<Snapshot>,
    /// The same with the pods; components have numbers of their own.
    pub whole: Arc<Snapshot>,
    pub seen: Arc<Seen>,
}

impl Laid {
    pub(super) fn over(estate: &Arc<Snapshot>) -> Laid {
        Laid { estate: Arc::clone(estate), whole: Arc::clone(estate), seen: Arc::default() }
    }

    /// The same with what has been seen by now, instead of what was seen before.
    pub(super) fn next(&self, seen: Seen) -> Laid {
        let (calls, ended) = seen.declared_calls().since(&self.seen.declared_calls());
        let (pods, gone) = seen.declared_pods().since(&self.seen.declared_pods());
        Laid {
            estate: changed(&self.estate, &calls, &ended),
            whole: changed(&changed(&self.whole, &calls, &ended), &pods, &gone),
            seen: Arc::new(seen),
        }
    }

    /// What a reader of an answer must know about it.
    pub fn note(&self) -> Option<Text> {
        let many = self.seen.pods_left_out > 0;
        many.then(|| {
            text!("signals name more than {} pods that the topology does not have: further ones are only names on their signals", MOST_PODS)
        })
    }
}

/// Calls come and go between components that stay, so folding leaves their numbers as they are.
fn changed(estate: &Arc<Snapshot>, declared: &Declared, removed: &Removed) -> Arc<Snapshot> {
    if *declared == Declared::default() && *removed == Removed::default() {
        return Arc::clone(estate);
    }
    // What a model of the user refuses is left out: it is not a mistake of whoever sent the signals.
    let (next, _) = estate.with(declared, removed);
    Arc::new(if next.is_worth_folding() { next.folded() } else { next })
}
