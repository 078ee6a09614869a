//! Dates in UTC, as a constitution writes them.

use meliora_domain::Timestamp;

const DAY: i64 = 86_400;

/// The moment at which `2027-12-31` (then the end of that day) or `2027-12-31T12:00:00Z` is over. `None` for anything
/// else, also for a day that no month has, and before 1970.
pub(crate) fn end_of(text: &str) -> Option<Timestamp> {
    let (day, time) = match text.split_once('T') {
        None => (text, None),
        Some((day, time)) => (day, Some(time.strip_suffix('Z')?)),
    };
    let [year, month, date] = numbers(day, '-', &[4, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=days).contains(&date) {
        return None;
    }
    let seconds = match time {
        None => DAY,
        Some(time) => {
            let [hour, minute, second] = numbers(time, ':', &[2, 2, 2])?;
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            hour * 3600 + minute * 60 + second
        }
    };
    let moment = days_since_1970(year, month, date) * DAY + seconds;
    u64::try_from(moment * 1000).ok().map(Timestamp)
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn numbers<const N: usize>(text: &str, between: char, widths: &[usize; N]) -> Option<[i64; N]> {
    let mut out = [0; N];
    let mut parts = text.split(between);
    for (number, width) in out.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == *width && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_ends_with_its_day_and_nonsense_is_none() {
        // `date -u -d 2028-03-01 +%s` and the like.
        assert_eq!(end_of("2028-02-29"), Some(Timestamp(1_835_481_600_000)));
        assert_eq!(end_of("1970-01-01T00:00:01Z"), Some(Timestamp(1000)));
        assert_eq!(end_of("2027-12-31T23:59:59Z"), Some(Timestamp(1_830_297_599_000)));
        for bad in ["2027-02-29", "2027-13-01", "2027-1-1", "tomorrow", "2027-01-01T24:00:00Z", "2027-01-01T10:00", ""]
        {
            assert_eq!(end_of(bad), None, "{bad}");
        }
    }
}
