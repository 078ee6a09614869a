//! How long to wait before the next try.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meliora_domain::Digest;

/// Who waits between two tries.
pub trait Waiter: Send + Sync {
    /// Waits.
    fn wait(&self, pause: Duration);
}

/// Waits by sleeping.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sleep;

impl Waiter for Sleep {
    fn wait(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

impl<F: Fn(Duration) + Send + Sync> Waiter for F {
    fn wait(&self, pause: Duration) {
        self(pause);
    }
}

/// The pause after try number `tries` (from 1): half a second, doubled each time, of which the upper half is jitter
/// that the seed decides, so that callers with different seeds do not come back together.
pub(crate) fn backoff(tries: u32, seed: u64, longest: Duration) -> Duration {
    let full = Duration::from_millis(500).saturating_mul(1 << tries.saturating_sub(1).min(16));
    let digest = Digest::of([seed.to_le_bytes().as_slice(), &tries.to_le_bytes()]);
    let jitter = f64::from(u16::from_le_bytes([digest.0[0], digest.0[1]])) / f64::from(u16::MAX);
    full.mul_f64(0.5 + 0.5 * jitter).min(longest)
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110, 10.2.3), which is taken relative to the server's own `Date`
/// where it sent one, since clocks differ.
pub(crate) fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<f64>() {
        // Fractions are not in the standard, but servers send them.
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let then = http_date(value)?;
    let now = match date.and_then(http_date) {
        Some(now) => now,
        None => SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs(),
    };
    Some(Duration::from_secs(then.saturating_sub(now)))
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7; the obsolete forms are not
/// read).
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let rest = text.trim().split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut parts = rest.split(' ');
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|m| *m == name)? as i64 + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(|n| n.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days from the civil calendar; Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y / 400;
    let year_of_era = y - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_the_standard_writes_them() {
        let dates = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000)),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("06 Nov 1994", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("", None),
        ];
        for (text, seconds) in dates {
            assert_eq!(http_date(text), seconds, "{text}");
        }
    }

    #[test]
    fn retry_after_takes_seconds_or_a_date() {
        let date = Some("Sun, 06 Nov 1994 08:49:07 GMT");
        assert_eq!(retry_after("7", None), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("-7", None), Some(Duration::ZERO));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", date), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", date), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", date), None);
    }

    #[test]
    fn pauses_grow_to_the_longest_and_depend_on_the_seed_alone() {
        let longest = Duration::from_secs(20);
        for tries in 1..40 {
            let pause = backoff(tries, 3, longest);
            assert_eq!(pause, backoff(tries, 3, longest));
            assert!(pause <= longest && pause >= Duration::from_millis(250));
        }
        assert_eq!(backoff(39, 3, longest), longest);
        assert_ne!(backoff(2, 3, longest), backoff(2, 4, longest));
    }
}
