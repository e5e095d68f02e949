//! Texts that repeat, as small numbers.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;

/// Stands for NULL.
pub const NONE: u32 = u32::MAX;

/// Text ↔ small number.
#[derive(Debug, Default)]
pub struct Names {
    index: HashMap<Arc<str>, u32, RandomState>,
    names: Vec<Arc<str>>,
}

impl Names {
    /// Returns the number of a text, a new one if it is new.
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(at) = self.index.get(name) {
            return *at;
        }
        let (at, name): (u32, Arc<str>) = (self.names.len() as u32, name.into());
        self.index.insert(Arc::clone(&name), at);
        self.names.push(name);
        at
    }

    /// Returns the number of a text that is known.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.index.get(name).copied()
    }

    /// Returns the texts in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Returns the text of a number.
    pub fn get(&self, at: u32) -> &str {
        self.names.get(at as usize).map_or("", |name| name)
    }
}
