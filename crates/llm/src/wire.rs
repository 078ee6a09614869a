//! Requests and replies of both protocols as JSON. Pure: nothing here sends anything.

use meliora_evolve::{Chat, Role};
use serde_json::{Value, json};

use crate::Api;

/// Parameters that a server was seen to refuse; what is set is left out, or sent under its newer name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Dialect {
    /// `max_completion_tokens` instead of `max_tokens` (OpenAI's reasoning models).
    pub(crate) completion_tokens: bool,
    /// No `temperature`.
    pub(crate) no_temperature: bool,
    /// No `seed`.
    pub(crate) no_seed: bool,
}

impl Dialect {
    /// The dialect after a refusal with this message, if the message names a parameter that can be done without.
    pub(crate) fn after(self, refusal: &str) -> Option<Self> {
        let mut next = self;
        if refusal.contains("max_completion_tokens") {
            next.completion_tokens = true;
        } else if refusal.contains("temperature") {
            next.no_temperature = true;
        } else if refusal.contains("seed") {
            next.no_seed = true;
        }
        (next != self).then_some(next)
    }
}

/// The body of a request.
pub(crate) fn request(api: Api, model: &str, chat: &Chat, seed: u64, dialect: Dialect) -> Value {
    let mut body = json!({ "model": model });
    let said = |m: &meliora_evolve::Message| {
        let role = match m.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        json!({ "role": role, "content": m.content })
    };
    match api {
        Api::OpenAi => {
            body["messages"] = chat.messages.iter().map(said).collect();
            let limit = if dialect.completion_tokens { "max_completion_tokens" } else { "max_tokens" };
            body[limit] = chat.max_tokens.into();
            if !dialect.no_temperature {
                body["temperature"] = chat.temperature.into();
            }
            if !dialect.no_seed {
                // Servers differ in how wide a seed they take; 31 bits fit all.
                body["seed"] = (seed & 0x7fff_ffff).into();
            }
        }
        Api::Anthropic => {
            let system: Vec<&str> =
                chat.messages.iter().filter(|m| m.role == Role::System).map(|m| m.content.as_str()).collect();
            if !system.is_empty() {
                body["system"] = system.join("\n\n").into();
            }
            body["messages"] = chat.messages.iter().filter(|m| m.role != Role::System).map(said).collect();
            body["max_tokens"] = chat.max_tokens.into();
            if !dialect.no_temperature {
                body["temperature"] = chat.temperature.clamp(0.0, 1.0).into();
            }
        }
    }
    body
}

/// What a server's 200 reply says.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Answer {
    /// The text, perhaps empty.
    pub(crate) text: String,
    /// Whether it was cut at the limit of tokens.
    pub(crate) truncated: bool,
    /// Tokens read and written, where the server counts.
    pub(crate) usage: Option<(u64, u64)>,
}

/// Reads a reply; `Err` says why it is none.
pub(crate) fn answer(api: Api, body: &[u8]) -> Result<Answer, String> {
    let json: Value = serde_json::from_slice(body)
        .map_err(|e| format!("the reply is not JSON ({e}): {}", excerpt(&String::from_utf8_lossy(body))))?;
    // Some gateways send errors with status 200.
    if let Some(message) = error_message(&json) {
        return Err(format!("the reply is an error: {}", excerpt(&message)));
    }
    let shape = || format!("the reply has not the form of the protocol: {}", excerpt(&json.to_string()));
    let usage = &json["usage"];
    match api {
        Api::OpenAi => {
            let choice = json["choices"].get(0).ok_or_else(shape)?;
            let message = choice.get("message").ok_or_else(shape)?;
            Ok(Answer {
                text: content(&message["content"]).ok_or_else(shape)?,
                truncated: choice["finish_reason"] == "length",
                usage: usage["prompt_tokens"].as_u64().zip(usage["completion_tokens"].as_u64()),
            })
        }
        Api::Anthropic => {
            // What was read from or written to the prompt cache is counted apart from `input_tokens`.
            let cached: u64 = ["cache_creation_input_tokens", "cache_read_input_tokens"]
                .iter()
                .filter_map(|field| usage[*field].as_u64())
                .sum();
            Ok(Answer {
                text: json.get("content").and_then(content).ok_or_else(shape)?,
                truncated: json["stop_reason"] == "max_tokens",
                usage: usage["input_tokens"].as_u64().map(|n| n + cached).zip(usage["output_tokens"].as_u64()),
            })
        }
    }
}

/// The text of a message: a string, a list of parts, or nothing.
fn content(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(|p| p["text"].as_str()).collect()),
        _ => None,
    }
}

fn error_message(json: &Value) -> Option<String> {
    let error = json.get("error").filter(|e| !e.is_null())?;
    let text = error.as_str().or_else(|| error["message"].as_str()).map(str::to_owned);
    Some(text.unwrap_or_else(|| error.to_string()))
}

/// What a refusing server says, in words.
pub(crate) fn refusal(body: &str) -> String {
    let json = serde_json::from_str::<Value>(body).ok();
    let message = json.and_then(|json| {
        let other = || ["message", "detail"].iter().find_map(|f| json[*f].as_str().map(str::to_owned));
        error_message(&json).or_else(other)
    });
    excerpt(message.as_deref().unwrap_or(body))
}

/// Names in a list of models, `{"data": [{"id": …}]}` in both protocols.
pub(crate) fn models(body: &[u8]) -> Vec<String> {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let listed = json["data"].as_array().into_iter().flatten();
    listed.filter_map(|m| m["id"].as_str().map(str::to_owned)).collect()
}

/// The beginning of a text on one line.
fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "(nothing)".into(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meliora_evolve::Message;

    fn chat() -> Chat {
        let message = |role, content: &str| Message { role, content: content.into() };
        Chat {
            messages: vec![message(Role::System, "be short"), message(Role::User, "hello")],
            temperature: 1.5,
            max_tokens: 9,
            seed: u64::MAX,
        }
    }

    #[test]
    fn requests_have_the_form_of_their_protocol() {
        let openai = request(Api::OpenAi, "m", &chat(), u64::MAX, Dialect::default());
        assert_eq!(
            openai,
            json!({"model": "m", "max_tokens": 9, "temperature": 1.5, "seed": 0x7fff_ffff, "messages": [
                {"role": "system", "content": "be short"}, {"role": "user", "content": "hello"}]})
        );
        let anthropic = request(Api::Anthropic, "m", &chat(), 1, Dialect::default());
        assert_eq!(
            anthropic,
            json!({"model": "m", "max_tokens": 9, "temperature": 1.0, "system": "be short",
                "messages": [{"role": "user", "content": "hello"}]})
        );
    }

    #[test]
    fn a_refused_parameter_is_left_out_once() {
        let first = Dialect::default();
        let second = first.after("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.").unwrap();
        assert!(second.completion_tokens);
        assert_eq!(second.after("use max_completion_tokens"), None);
        let third = second.after("Unsupported value: 'temperature'").unwrap();
        let body = request(Api::OpenAi, "m", &chat(), 1, third);
        assert_eq!((body.get("temperature"), body.get("max_tokens")), (None, None));
        assert_eq!(body["max_completion_tokens"], 9);
        assert_eq!(first.after("no such model"), None);
    }

    #[test]
    fn replies_are_read_in_every_shape_servers_send() {
        let cases = [
            (Api::OpenAi, r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#, "hi", false, None),
            (
                Api::OpenAi,
                r#"{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"text":"b"}]},"finish_reason":"length"}],
                    "usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
                "ab",
                true,
                Some((3, 4)),
            ),
            (Api::OpenAi, r#"{"choices":[{"message":{"content":null}}],"error":null}"#, "", false, None),
            (
                Api::Anthropic,
                r#"{"content":[{"type":"text","text":"hi"}],"stop_reason":"max_tokens",
                    "usage":{"input_tokens":1,"cache_read_input_tokens":5,"output_tokens":2}}"#,
                "hi",
                true,
                Some((6, 2)),
            ),
        ];
        for (api, body, text, truncated, usage) in cases {
            let expected = Answer { text: text.into(), truncated, usage };
            assert_eq!(answer(api, body.as_bytes()).unwrap(), expected, "{body}");
        }
        for body in ["", "<html>", "{}", r#"{"choices":[]}"#, r#"{"choices":[{"message":{"content":7}}]}"#] {
            assert!(answer(Api::OpenAi, body.as_bytes()).is_err(), "{body}");
        }
        let error = answer(Api::OpenAi, br#"{"error":{"message":"busy"}}"#).unwrap_err();
        assert!(error.contains("busy"), "{error}");
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_own_words() {
        let cases = [
            (r#"{"error":{"message":"bad key","type":"x"}}"#, "bad key"),
            (r#"{"error":"model 'x' not found"}"#, "model 'x' not found"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            ("<h1>\n 502 </h1>", "<h1> 502 </h1>"),
            ("", "(nothing)"),
        ];
        for (body, words) in cases {
            assert_eq!(refusal(body), words);
        }
    }
}
