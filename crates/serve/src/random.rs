//! Ids and tokens that nobody guesses.

/// The letters of an id: no one is special in an address or a header.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A text of so many letters, each of five random bits of the kernel's.
pub(crate) fn text(letters: usize) -> String {
    let mut bytes = vec![0; letters];
    let mut filled = 0;
    while filled < letters {
        // The kernel's source is ready from boot on and does not fail with these flags; a signal may cut it short.
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => panic!("the kernel gives no random numbers: {errno}"),
        }
    }
    bytes.iter().map(|byte| LETTERS[usize::from(byte % 32)] as char).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_are_never_the_same() {
        assert_ne!(super::text(20), super::text(20));
        assert_eq!(super::text(20).len(), 20);
    }
}
