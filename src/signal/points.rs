//! The samples of a series. They are most of what a server keeps, so copies share them until one of them changes.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use value::Time;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points(Arc<Vec<(Time, f64)>>);

impl Deref for Points {
    type Target = Vec<(Time, f64)>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Points {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<(Time, f64)>> for Points {
    fn from(points: Vec<(Time, f64)>) -> Self {
        Points(Arc::new(points))
    }
}

impl FromIterator<(Time, f64)> for Points {
    fn from_iter<I: IntoIterator<Item = (Time, f64)>>(points: I) -> Self {
        Points(Arc::new(points.into_iter().collect()))
    }
}
