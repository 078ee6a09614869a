//! Learns what nearly every warm command writes to, so that it need not find out page by page.
//!
//! A copy of the interpreter, which is then thrown away, does what commands do, and tells which pages it has written. They
//! are numbers of this process's own memory; nothing that any command does changes them.

use std::io::{Read as _, Write as _};

use crate::frozen::{self, Stretch};
use crate::init::leave;
use crate::interpreter::Interpreter;

/// Stretches of pages that a command with a known script will write to, or those that others write to besides; none where
/// it could not be tried, and commands are slower then.
pub(crate) fn hot_pages(python: &Interpreter, known: bool) -> Vec<Stretch> {
    let Ok((mut from, to)) = std::io::pipe() else { return Vec::new() };
    match python.fork() {
        Ok(0) => {
            let told = try_out(python, known).and_then(|hot| {
                let words: Vec<u8> =
                    hot.iter().flat_map(|(a, b)| [a.to_ne_bytes(), b.to_ne_bytes()]).flatten().collect();
                (&to).write_all(&words)
            });
            leave(i32::from(told.is_err()))
        }
        Ok(pid) => {
            drop(to);
            let mut words = Vec::new();
            let read = from.read_to_end(&mut words);
            // SAFETY: collects our own child, which has closed its end or is gone.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
            let number = |bytes: &[u8]| bytes.try_into().map_or(0, usize::from_ne_bytes);
            let hot = words.chunks_exact(2 * size_of::<usize>()).map(|pair| {
                let (a, b) = pair.split_at(size_of::<usize>());
                (number(a), number(b))
            });
            if read.is_ok() { hot.collect() } else { Vec::new() }
        }
        Err(_) => Vec::new(),
    }
}

/// In the copy: the pages that it did not have for itself before, those that are copied ahead for every command among them.
fn try_out(python: &Interpreter, known: bool) -> std::io::Result<Vec<Stretch>> {
    let mut before = frozen::written()?;
    python.forked();
    if !known {
        before = frozen::written()?;
    }
    python.try_out(known);
    Ok(frozen::written()?.into_iter().flat_map(|stretch| without(stretch, &before)).collect())
}

/// What of a stretch lies in none of these.
fn without((mut from, to): Stretch, known: &[Stretch]) -> Vec<Stretch> {
    let mut left = Vec::new();
    for (a, b) in known {
        if *b <= from || *a >= to {
            continue;
        }
        if *a > from {
            left.push((from, *a));
        }
        from = *b;
    }
    if from < to {
        left.push((from, to));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_is_taken_out() {
        assert_eq!(without((10, 20), &[]), [(10, 20)]);
        assert_eq!(without((10, 20), &[(0, 5), (12, 14), (16, 30), (40, 50)]), [(10, 12), (14, 16)]);
        assert_eq!(without((10, 20), &[(0, 12), (20, 30)]), [(12, 20)]);
        assert_eq!(without((10, 20), &[(10, 20)]), []);
    }
}
