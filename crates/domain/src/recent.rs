//! What was last made of a text.

use std::collections::VecDeque;

/// What was last made of a text, for work that looks at the same few texts again and again: a parent and its child, the
/// child once more.
#[derive(Clone, Debug)]
pub struct Recent<K, V> {
    kept: VecDeque<(K, String, V)>,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// How many values are kept.
    const KEPT: usize = 8;
    /// Bytes of a text that is kept at most: longer ones would hold on to much memory.
    const LONGEST: usize = 1 << 16;

    /// Nothing yet.
    pub const fn new() -> Self {
        Recent { kept: VecDeque::new() }
    }

    /// The value of this text, made anew where it is not among the last few. What cannot be made is not kept.
    pub fn get(&mut self, key: K, text: &str, make: impl FnOnce() -> Option<V>) -> Option<V> {
        if let Some((.., value)) = self.kept.iter().find(|(k, known, _)| *k == key && known == text) {
            return Some(value.clone());
        }
        let value = make()?;
        if text.len() <= Self::LONGEST {
            if self.kept.len() == Self::KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back((key, text.to_owned(), value.clone()));
        }
        Some(value)
    }
}

impl<K: PartialEq, V: Clone> Default for Recent<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_or_long_ago_or_long_is_made() {
        let (mut recent, mut made) = (Recent::new(), 0);
        let mut get = |key: u8, text: &str| {
            recent.get(key, text, || {
                made += 1;
                (text != "bad").then_some(made)
            })
        };
        assert_eq!((get(0, "a"), get(0, "b"), get(0, "a"), get(1, "a")), (Some(1), Some(2), Some(1), Some(3)));
        assert_eq!((get(0, "bad"), get(0, "bad")), (None, None));
        let long = "x".repeat(1 << 17);
        assert_eq!((get(0, &long), get(0, &long)), (Some(6), Some(7)));
        for n in 0..7 {
            get(2, &n.to_string());
        }
        assert_eq!((get(1, "a"), get(0, "a")), (Some(3), Some(15)));
    }
}
