//! How many tokens a text may have, counted rather too high: reservations must never be too small.

use meliora_evolve::Chat;

/// Tokens that chat templates add to each message (role marks).
const PER_MESSAGE: u64 = 8;
/// Tokens that a chat template may add once; several add a system prompt of their own (Qwen2.5: about twenty).
const PER_CHAT: u64 = 32;

/// Tokens of a text, estimated: one for each decimal digit (several tokenizers never join digits) and one for every
/// three other bytes, rounded up. Code and prose measure three to four bytes a token.
pub fn text_tokens(text: &str) -> u64 {
    let digits = text.bytes().filter(u8::is_ascii_digit).count() as u64;
    digits + (text.len() as u64 - digits).div_ceil(3)
}

/// Tokens of a chat's messages, estimated, with what a chat template adds.
pub fn chat_tokens(chat: &Chat) -> u64 {
    PER_CHAT + chat.messages.iter().map(|m| text_tokens(&m.content) + PER_MESSAGE).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_rounded_up_and_counts_digits_alone() {
        for (text, tokens) in [("", 0), ("a", 1), ("abc", 1), ("abcd", 2), ("12345", 5), ("a1b2", 3), ("漢字", 2)] {
            assert_eq!(text_tokens(text), tokens, "{text:?}");
        }
    }
}
