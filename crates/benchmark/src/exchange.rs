//! What an evaluator's cage and a candidate's say to each other through the host, in the tier `split`.
//!
//! Pure: bytes in, messages out. What comes from the evaluator's cage is trusted and passes as it is. What comes from a
//! candidate's is not: only plain data gets through, in the forms of `drivers/plain.py`, one answer for each question.

use std::collections::BTreeMap;

use crate::json::Json;

/// Largest message, in bytes. One value may have 24 MiB (`drivers/plain.py`); the rest is for what holds it.
const LARGEST: usize = 32 << 20;
/// Most items of one message: each takes the host some tens of bytes while it is looked at.
const ITEMS: usize = 4 << 20;
/// Most exceptions' names, places of an error, parameters of a function.
const NAMES: usize = 200;

/// What the evaluator's cage wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wish {
    /// These words are for the candidate of this lane; one is to be had if there is none yet.
    Say(u32, Vec<u8>),
    /// The candidate of this lane is to end, whatever it does.
    End(u32),
    /// More of the examination's result, as [`Suite::grade`](crate::Suite::grade) reads it from standard output.
    Result(Vec<u8>),
}

/// Reads wishes from the standard output of the evaluator's driver.
#[derive(Debug, Default)]
pub struct Wishes(Vec<u8>);

impl Wishes {
    /// Takes more of the output and gives the wishes that are whole.
    ///
    /// # Errors
    /// If it is no output of the driver.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Wish>, String> {
        self.0.extend_from_slice(bytes);
        let mut wishes = Vec::new();
        let mut rest = self.0.as_slice();
        while let Some((head, behind)) = rest.split_first_chunk::<9>() {
            let [kind, a, b, c, d, size @ ..] = *head;
            let (lane, size) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(size) as usize);
            if size > LARGEST {
                return Err(format!("the evaluator's driver announces a message of {size} bytes"));
            }
            let Some((words, behind)) = behind.split_at_checked(size) else { break };
            wishes.push(match kind {
                b'd' => Wish::Say(lane, words.to_vec()),
                b'c' => Wish::End(lane),
                b'r' => Wish::Result(words.to_vec()),
                _ => return Err("the evaluator's driver says something unknown".to_owned()),
            });
            rest = behind;
        }
        let read = self.0.len() - rest.len();
        self.0.drain(..read);
        Ok(wishes)
    }
}

/// What a candidate says, as the evaluator's driver reads it.
pub fn told(lane: u32, words: &[u8]) -> Vec<u8> {
    headed(b'd', lane, words)
}

/// That a candidate is gone, and why, as the evaluator's driver reads it.
pub fn gone(lane: u32, why: &str) -> Vec<u8> {
    headed(b'g', lane, why.as_bytes())
}

/// That an examination is to begin, as the evaluator's driver reads it.
pub(crate) fn order(seed: u32, nonce: &str) -> Vec<u8> {
    headed(b'o', 0, format!("{seed} {nonce}").as_bytes())
}

/// Whether the evaluator's driver has said all of the result.
pub fn whole(result: &[u8]) -> bool {
    result.ends_with(b"\n.\n")
}

/// That the host has nothing more to say in this examination, as the evaluator's driver reads it.
pub fn leave() -> Vec<u8> {
    headed(b'e', 0, b"")
}

fn headed(kind: u8, lane: u32, words: &[u8]) -> Vec<u8> {
    [&[kind][..], &lane.to_le_bytes(), &packed(words)].concat()
}

fn packed(words: &[u8]) -> Vec<u8> {
    [&(words.len() as u32).to_le_bytes()[..], words].concat()
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Turn {
    /// Nothing was asked.
    #[default]
    Nobody,
    /// The candidate's: it was asked something.
    Candidate,
    /// The evaluator's: the candidate calls a function of it.
    Evaluator,
}

/// One lane: a candidate in a cage, and the evaluator that calls it.
#[derive(Debug, Default)]
pub struct Lane {
    turn: Turn,
    heard: Vec<u8>,
}

impl Lane {
    /// Words of the evaluator, as the candidate's driver reads them.
    pub fn ask(&mut self, words: &[u8]) -> Vec<u8> {
        self.turn = Turn::Candidate;
        packed(words)
    }

    /// Takes more of what the candidate's driver wrote, and gives the messages in it that are whole, as text that this
    /// side wrote anew.
    ///
    /// # Errors
    /// Says what is wrong with it, if it is not plain data or not its turn. Such a candidate has to end.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        if self.turn != Turn::Candidate {
            return Err("spoke without being asked".to_owned());
        }
        self.heard.extend_from_slice(bytes);
        let mut messages = Vec::new();
        let mut rest = self.heard.as_slice();
        while let Some((size, behind)) = rest.split_first_chunk::<4>() {
            let size = u32::from_le_bytes(*size) as usize;
            if size > LARGEST {
                return Err(format!("announced a message of {size} bytes"));
            }
            let Some((words, behind)) = behind.split_at_checked(size) else { break };
            if self.turn != Turn::Candidate {
                return Err("spoke without being asked".to_owned());
            }
            let (message, turn) = checked(words)?;
            messages.push(message);
            self.turn = turn;
            rest = behind;
        }
        let read = self.heard.len() - rest.len();
        self.heard.drain(..read);
        Ok(messages)
    }
}

/// A message of a candidate, read and written anew, and whose turn it is after it.
fn checked(words: &[u8]) -> Result<(Vec<u8>, Turn), String> {
    let wrong = || "said something that is no message".to_owned();
    let (kind, text) = words.split_first().ok_or_else(wrong)?;
    if items(text) > ITEMS {
        return Err(format!("said something of more than {ITEMS} items"));
    }
    let value = std::str::from_utf8(text).map_err(|_| wrong()).and_then(Json::read)?;
    let Json::List(parts) = &value else { return Err(wrong()) };
    let (fits, turn) = match (kind, parts.as_slice()) {
        (b'k', [number, args @ Json::List(_), kwargs]) => {
            (is_number(number) && is_plain(args) && is_plain(kwargs), Turn::Evaluator)
        }
        (b'r', [Json::Text(what), rest @ ..]) => (is_answer(what, rest), Turn::Nobody),
        _ => (false, Turn::Nobody),
    };
    if !fits {
        return Err(wrong());
    }
    let mut message = String::with_capacity(words.len());
    message.push(char::from(*kind));
    value.write(&mut message);
    Ok((message.into_bytes(), turn))
}

/// How many items a text can have at most, if it is JSON: commas and brackets outside of texts.
fn items(text: &[u8]) -> usize {
    let (mut count, mut quoted, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

fn is_answer(what: &str, rest: &[Json]) -> bool {
    match (what, rest) {
        // What it printed is at the end, where the evaluator catches that.
        ("value", [value] | [value, Json::Text(_)]) => is_plain(value),
        ("unfit", [Json::Text(_)]) => true,
        ("raised", [names, Json::Text(_), places]) => texts(names).is_some_and(|n| n > 0) && texts(places).is_some(),
        ("ended", [code, out, err]) => {
            matches!(code, Json::Int(digits) if digits.parse().is_ok_and(|code: i16| (-64..256).contains(&code)))
                && is_bytes(out)
                && is_bytes(err)
        }
        ("module", [Json::List(rows)] | [Json::List(rows), Json::Text(_)]) => rows.iter().all(is_offer),
        _ => false,
    }
}

/// Whether it is one thing that a module offers.
fn is_offer(row: &Json) -> bool {
    let Json::List(row) = row else { return false };
    let [Json::Text(name), Json::Text(kind), rest @ ..] = row.as_slice() else { return false };
    is_name(name)
        && !name.starts_with("__")
        && match (kind.as_str(), rest) {
            ("v", [value]) => is_plain(value),
            ("x", [Json::Text(_)]) => true,
            ("f", [Json::Null | Json::Text(_), Json::Null]) => true,
            ("f", [Json::Null | Json::Text(_), Json::List(rows)]) => {
                rows.len() <= NAMES && rows.iter().all(is_parameter)
            }
            _ => false,
        }
}

fn is_parameter(row: &Json) -> bool {
    let Json::List(row) = row else { return false };
    match row.as_slice() {
        [Json::Text(kind), Json::Text(name), Json::Bool(_)] => {
            ["p", "a", "*", "k", "**"].contains(&kind.as_str()) && is_name(name)
        }
        _ => false,
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAMES
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// How many texts it is a list of.
fn texts(value: &Json) -> Option<usize> {
    let Json::List(items) = value else { return None };
    (items.len() <= NAMES && items.iter().all(|item| matches!(item, Json::Text(_)))).then_some(items.len())
}

fn is_number(value: &Json) -> bool {
    matches!(value, Json::Int(digits) if digits.parse::<u32>().is_ok())
}

fn is_bytes(value: &Json) -> bool {
    matches!(value, Json::Map(fields) if single(fields).is_some_and(|(tag, inner)| tag == "b" && binary(inner).is_some()))
}

fn single(fields: &BTreeMap<String, Json>) -> Option<(&str, &Json)> {
    let mut all = fields.iter();
    let (tag, inner) = all.next()?;
    all.next().is_none().then_some((tag, inner))
}

/// Whether a value is plain data in one of the forms of `drivers/plain.py`, such that reading it there cannot fail.
fn is_plain(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) | Json::Float(_) | Json::Text(_) => true,
        Json::Int(digits) => digits.parse::<i64>().is_ok(),
        Json::List(items) => items.iter().all(is_plain),
        Json::Map(fields) => single(fields).is_some_and(|(tag, inner)| is_tagged(tag, inner)),
    }
}

fn is_tagged(tag: &str, inner: &Json) -> bool {
    match (tag, inner) {
        ("i", Json::Text(text)) => {
            let digits = text.strip_prefix('-').unwrap_or(text).strip_prefix("0x");
            digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_hexdigit()))
        }
        ("f", Json::Text(text)) => ["nan", "inf", "-inf"].contains(&text.as_str()),
        ("t" | "n", Json::List(items)) => items.iter().all(is_plain),
        ("e" | "z", Json::List(items)) => items.iter().all(|item| is_plain(item) && is_key(item)),
        ("d", Json::List(pairs)) => pairs.iter().all(|pair| match pair {
            Json::List(pair) => {
                matches!(pair.as_slice(), [key, value] if is_plain(key) && is_key(key) && is_plain(value))
            }
            _ => false,
        }),
        ("b" | "B", data) => binary(data).is_some(),
        ("c", Json::List(parts)) => parts.len() == 2 && parts.iter().all(is_float),
        ("r", Json::List(parts)) => {
            let whole = |part: &Json| matches!(part, Json::Int(digits) if digits.parse::<i64>().is_ok());
            parts.len() == 3 && parts.iter().all(whole) && parts[2] != Json::Int("0".to_owned())
        }
        ("y", Json::List(parts)) => match parts.as_slice() {
            [Json::Text(code), data] => letter_size(code).is_some_and(|s| binary(data).is_some_and(|n| n % s == 0)),
            _ => false,
        },
        ("a", Json::List(parts)) => match parts.as_slice() {
            [Json::Text(letters), Json::List(shape), data] => is_array(letters, shape, data),
            _ => false,
        },
        ("s", Json::List(parts)) => match parts.as_slice() {
            [Json::Text(letters), data] => is_array(letters, &[], data),
            _ => false,
        },
        ("k", number) => is_number(number),
        _ => false,
    }
}

/// Whether Python can have it as a key.
fn is_key(value: &Json) -> bool {
    match value {
        Json::List(_) => false,
        Json::Map(fields) => single(fields).is_some_and(|(tag, inner)| match (tag, inner) {
            ("t", Json::List(items)) => items.iter().all(is_key),
            _ => matches!(tag, "i" | "f" | "z" | "b" | "c" | "r" | "s"),
        }),
        _ => true,
    }
}

fn is_float(value: &Json) -> bool {
    match value {
        Json::Float(_) => true,
        Json::Map(fields) => single(fields).is_some_and(|(tag, inner)| tag == "f" && is_tagged(tag, inner)),
        _ => false,
    }
}

/// Bytes of an item of Python's `array`; texts are none.
fn letter_size(code: &str) -> Option<usize> {
    Some(match code {
        "b" | "B" => 1,
        "h" | "H" => 2,
        "i" | "I" | "f" => 4,
        "l" | "L" | "q" | "Q" | "d" => 8,
        _ => return None,
    })
}

fn is_array(letters: &str, shape: &[Json], data: &Json) -> bool {
    const LETTERS: [&str; 14] =
        ["|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"];
    if !LETTERS.contains(&letters) || shape.len() > 32 {
        return false;
    }
    let size: usize = letters[2..].parse().unwrap_or(0);
    let count = shape.iter().try_fold(size, |count, side| match side {
        Json::Int(digits) => count.checked_mul(digits.parse().ok()?),
        _ => None,
    });
    count.is_some() && binary(data) == count
}

/// Bytes that a text holds as base64; `None` if it is none.
fn binary(value: &Json) -> Option<usize> {
    let Json::Text(text) = value else { return None };
    let body = text.trim_end_matches('=');
    let pad = text.len() - body.len();
    let fits = text.len().is_multiple_of(4)
        && pad <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    fits.then(|| text.len() / 4 * 3 - pad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u8, text: &str) -> Vec<u8> {
        packed(&[&[kind], text.as_bytes()].concat())
    }

    fn answers(text: &str) -> Result<Vec<Vec<u8>>, String> {
        let mut lane = Lane::default();
        lane.ask(b"q");
        lane.hear(&message(b'r', text))
    }

    #[test]
    fn plain_data_gets_through_and_is_written_anew() {
        for value in [
            "null",
            "[1,2.5,\"a\",{\"t\":[true,{\"d\":[[{\"t\":[1]},[]]]}]}]",
            "{\"i\":\"-0xffffffffffffffffff\"}",
            "{\"f\":\"nan\"}",
            "{\"e\":[1,\"a\"]}",
            "{\"b\":\"AAECAw==\"}",
            "{\"c\":[1.0,{\"f\":\"inf\"}]}",
            "{\"r\":[0,9,2]}",
            "{\"y\":[\"d\",\"AAAAAAAA8D8=\"]}",
            "{\"a\":[\"<f8\",[1,1],\"AAAAAAAA8D8=\"]}",
            "{\"a\":[\"<f8\",[0],\"\"]}",
            "{\"s\":[\"<f8\",\"AAAAAAAA8D8=\"]}",
        ] {
            let heard = answers(&format!(" [ \"value\" , {value} ] ")).unwrap_or_else(|why| panic!("{value}: {why}"));
            assert_eq!(String::from_utf8_lossy(&heard[0]), format!("r[\"value\",{value}]"));
        }
        assert!(answers("[\"raised\",[\"ValueError\"],\"no\",[\"a.py:1 in f\"]]").is_ok());
        assert!(answers("[\"ended\",-9,{\"b\":\"\"},{\"b\":\"\"}]").is_ok());
        assert!(
            answers("[\"module\",[[\"f\",\"f\",null,[[\"a\",\"x\",true]]],[\"N\",\"v\",3],[\"C\",\"x\",\"a type\"]]]")
                .is_ok()
        );
    }

    #[test]
    fn what_could_do_harm_where_it_is_read_does_not_get_through() {
        for value in [
            "{}",
            "{\"p\":\"gASVCgAAAAAA\"}",
            "{\"t\":[1],\"e\":[2]}",
            "{\"t\":1}",
            "{\"i\":\"0x\"}",
            "{\"i\":\"1e9\"}",
            "{\"f\":\"1\"}",
            "{\"e\":[[1]]}",
            "{\"d\":[[[1],2]]}",
            "{\"d\":[[{\"t\":[[1]]},2]]}",
            "{\"b\":\"A\"}",
            "{\"b\":\"AA=A\"}",
            "{\"b\":\"\u{e9}AAA\"}",
            "{\"r\":[0,9,0]}",
            "{\"y\":[\"u\",\"AAAA\"]}",
            "{\"y\":[\"d\",\"AAAA\"]}",
            "{\"a\":[\"|O8\",[1],\"AAAAAAAA8D8=\"]}",
            "{\"a\":[\"<f8\",[2],\"AAAAAAAA8D8=\"]}",
            "{\"a\":[\"<f8\",[-1],\"AAAAAAAA8D8=\"]}",
            "{\"a\":[\"<f8\",[18446744073709551615,2],\"\"]}",
            "{\"k\":-1}",
            "{\"e\":[{\"k\":0}]}",
            "99999999999999999999",
            "NaN",
        ] {
            assert!(answers(&format!("[\"value\",{value}]")).is_err(), "{value}");
        }
        let deep = format!("[\"value\",{}1{}]", "[".repeat(2000), "]".repeat(2000));
        for text in [
            "",
            "[]",
            "[\"value\"]",
            "[\"value\",1,2]",
            "[\"value\",1,\"printed\",2]",
            "[\"result\",1]",
            "[\"raised\",[],\"x\",[]]",
            "[\"raised\",[1],\"x\",[]]",
            "[\"ended\",256,{\"b\":\"\"},{\"b\":\"\"}]",
            "[\"module\",[[\"__builtins__\",\"v\",1]]]",
            "[\"module\",[[\"a b\",\"v\",1]]]",
            "[\"module\",[[\"f\",\"f\",null,[[\"a\",\"x=evil()\",true]]]]]",
            &deep,
        ] {
            assert!(answers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_message_of_very_many_items_is_refused_before_it_is_read() {
        assert_eq!(items(b"[1,{\"a,[\\\",\":[]},2]"), 5);
        let many = format!("[\"value\",[{}1]]", "1,".repeat(ITEMS));
        assert!(answers(&many).unwrap_err().contains("items"));
        let text = format!("[\"value\",\"{}\"]", ",".repeat(ITEMS + 9));
        assert!(answers(&text).is_ok(), "commas in a text are none");
    }

    #[test]
    fn a_candidate_speaks_only_when_it_was_asked_and_once() {
        let value = message(b'r', "[\"value\",1]");
        let mut lane = Lane::default();
        assert!(lane.hear(&value).is_err(), "before any question");
        let mut lane = Lane::default();
        lane.ask(b"q");
        assert!(lane.hear(&[value.clone(), value.clone()].concat()).is_err(), "two answers to one question");
        let mut lane = Lane::default();
        lane.ask(b"q");
        let call = message(b'k', "[0,[1],{\"d\":[]}]");
        assert_eq!(lane.hear(&call).unwrap().len(), 1);
        assert!(lane.hear(&value).is_err(), "while the evaluator computes");
        let mut lane = Lane::default();
        lane.ask(b"q");
        let (first, rest) = value.split_at(3);
        assert_eq!(lane.hear(first), Ok(Vec::new()));
        assert_eq!(lane.hear(rest).unwrap().len(), 1, "an answer in two parts");
        assert!(lane.hear(b"\0").is_err());
    }

    #[test]
    fn a_length_is_believed_only_as_far_as_messages_may_be_long() {
        let mut lane = Lane::default();
        lane.ask(b"q");
        assert!(lane.hear(&[255, 255, 255, 255]).is_err());
        assert!(Wishes::default().read(&[b'd', 1, 0, 0, 0, 255, 255, 255, 255]).is_err());
    }

    #[test]
    fn wishes_are_read_from_any_parts() {
        let bytes = [headed(b'd', 1, b"q[]"), headed(b'c', 2, b""), headed(b'r', 0, b"done")].concat();
        let mut wishes = Wishes::default();
        let read: Vec<Wish> = bytes.iter().flat_map(|b| wishes.read(&[*b]).unwrap()).collect();
        assert_eq!(read, [Wish::Say(1, b"q[]".to_vec()), Wish::End(2), Wish::Result(b"done".to_vec())]);
        assert!(wishes.read(&headed(b'z', 0, b"")).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_lane_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut lane = Lane::default();
            lane.ask(b"q");
            let _ = lane.hear(&bytes);
            let _ = Wishes::default().read(&bytes);
        }
    }
}
