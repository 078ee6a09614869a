//! Sorting by insertion over shrinking gaps (Shell 1959).

/// The gaps, the largest first.
const GAPS: &[usize] = &[64, 32, 16, 8, 4, 2, 1];

/// Sorts a list.
pub fn sort<T: Ord>(items: &mut [T]) {
    for gap in GAPS {
        insert(items, *gap);
    }
    insert(items, 1);
}

fn insert<T: Ord>(items: &mut [T], gap: usize) {
    if gap == 0 {
        return;
    }
    for start in gap..items.len() {
        let mut at = start;
        while at >= gap && items[at] < items[at - gap] {
            items.swap(at, at - gap);
            at -= gap;
        }
    }
}
