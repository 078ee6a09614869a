//! Looking things up in ascending values.

/// Index of the first value that is at least `wanted`; the number of values if all are smaller.
pub fn first_at_least(values: &[i64], wanted: i64) -> usize {
    let mut low = 0;
    let mut high = values.len();
    while low < high {
        let middle = low + (high - low) / 2;
        if values[middle] <= wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
