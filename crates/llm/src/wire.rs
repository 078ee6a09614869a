//! Requests and replies of both protocols as JSON. Pure: nothing here sends anything.

use meliora_evolve::{Chat, Role};
use serde_json::{Value, json};

use crate::{Api, Structured};

/// What the tool is called that stands for an answer in a given form.
const FORM: &str = "answer";

/// Parameters that a server was seen to refuse; what is set is left out, or sent under its newer name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Dialect {
    /// `max_completion_tokens` instead of `max_tokens` (OpenAI's reasoning models).
    pub(crate) completion_tokens: bool,
    /// No `temperature`.
    pub(crate) no_temperature: bool,
    /// No `seed`.
    pub(crate) no_seed: bool,
    /// How an answer's schema is told.
    pub(crate) structured: Structured,
    /// That way was declared: it is not given up.
    pub(crate) declared: bool,
}

impl Dialect {
    /// The dialect after a refusal with this message, if the message names a parameter that can be done without.
    pub(crate) fn after(self, refusal: &str) -> Option<Self> {
        let mut next = self;
        if ["response_format", "json_schema", "tool_choice"].iter().any(|word| refusal.contains(word)) {
            if !self.declared {
                next.structured = self.structured.weaker();
            }
        } else if refusal.contains("max_completion_tokens") {
            next.completion_tokens = true;
        } else if refusal.contains("temperature") {
            next.no_temperature = true;
        } else if refusal.contains("seed") {
            next.no_seed = true;
        }
        (next != self).then_some(next)
    }
}

/// The body of a request. `Err` if the chat's schema is no JSON.
pub(crate) fn request(api: Api, model: &str, chat: &Chat, seed: u64, dialect: Dialect) -> Result<String, String> {
    let body = plain_request(api, model, chat, seed, dialect).to_string();
    let Some(schema) = &chat.schema else { return Ok(body) };
    let form = form(api, schema, dialect.structured)?;
    // The schema is put in as it was written: servers write an answer's fields in the order of the schema's.
    Ok(form.map_or(body.clone(), |form| format!("{},{form}}}", &body[..body.len() - 1])))
}

/// The member of a request that tells of the schema, as text.
fn form(api: Api, schema: &str, structured: Structured) -> Result<Option<String>, String> {
    let read: Value = serde_json::from_str(schema).map_err(|e| format!("the answer's schema is no JSON: {e}"))?;
    let any_object = r#""response_format":{"type":"json_object"}"#.to_owned();
    Ok(match (api, structured) {
        (_, Structured::Nothing) => None,
        (Api::Anthropic, _) => Some(format!(
            r#""tools":[{{"name":"{FORM}","description":"Gives the answer.","input_schema":{schema}}}],"tool_choice":{{"type":"tool","name":"{FORM}"}}"#
        )),
        (Api::OpenAi, Structured::JsonObject) => Some(any_object),
        (Api::OpenAi, Structured::ResponseFormat) if read == json!({"type": "object"}) => Some(any_object),
        (Api::OpenAi, Structured::ResponseFormat) => {
            let strict = closed(&read);
            Some(format!(
                r#""response_format":{{"type":"json_schema","json_schema":{{"name":"{FORM}","strict":{strict},"schema":{schema}}}}}"#
            ))
        }
        (Api::OpenAi, Structured::JsonSchema) => Some(format!(r#""json_schema":{schema}"#)),
    })
}

/// Whether every object of a schema names all its fields and has no others, as OpenAI wants it of a strict one.
fn closed(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let fields = map.get("properties").and_then(Value::as_object);
            let required = |name: &String| {
                map.get("required").and_then(Value::as_array).is_some_and(|r| r.iter().any(|n| n == name))
            };
            let is_object = fields.is_some() || map.get("type").is_some_and(|t| t == "object");
            let shut = map.get("additionalProperties") == Some(&Value::Bool(false));
            (!is_object || (shut && fields.is_some_and(|fields| fields.keys().all(required))))
                && map.values().all(closed)
        }
        Value::Array(items) => items.iter().all(closed),
        _ => true,
    }
}

/// Whether a refusal says that the prompt is longer than the model's context.
pub(crate) fn too_long(refusal: &str) -> bool {
    let told = refusal.to_lowercase();
    let context = told.contains("context") && ["length", "exceed", "window"].iter().any(|word| told.contains(word));
    context || told.contains("prompt is too long") || told.contains("max_seq_len")
}

fn plain_request(api: Api, model: &str, chat: &Chat, seed: u64, dialect: Dialect) -> Value {
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
        Value::Array(parts) => {
            // Anthropic's answer in a given form is what its tool is used with.
            let said = |part: &Value| match part["text"].as_str() {
                Some(text) => Some(text.to_owned()),
                None => (part["type"] == "tool_use").then(|| part["input"].to_string()),
            };
            Some(parts.iter().filter_map(said).collect())
        }
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
            schema: None,
        }
    }

    fn body(api: Api, chat: &Chat, seed: u64, dialect: Dialect) -> Value {
        serde_json::from_str(&request(api, "m", chat, seed, dialect).unwrap()).unwrap()
    }

    #[test]
    fn requests_have_the_form_of_their_protocol() {
        let openai = body(Api::OpenAi, &chat(), u64::MAX, Dialect::default());
        assert_eq!(
            openai,
            json!({"model": "m", "max_tokens": 9, "temperature": 1.5, "seed": 0x7fff_ffff, "messages": [
                {"role": "system", "content": "be short"}, {"role": "user", "content": "hello"}]})
        );
        let anthropic = body(Api::Anthropic, &chat(), 1, Dialect::default());
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
        let body = body(Api::OpenAi, &chat(), 1, third);
        assert_eq!((body.get("temperature"), body.get("max_tokens")), (None, None));
        assert_eq!(body["max_completion_tokens"], 9);
        assert_eq!(first.after("no such model"), None);
    }

    #[test]
    fn a_schema_is_told_in_the_servers_way_and_as_it_was_written() {
        let schema = r#"{"type":"object","properties":{"why":{"type":"string"},"answer":{"type":"integer"}},"required":["why","answer"],"additionalProperties":false}"#;
        let chat = Chat { schema: Some(schema.into()), ..chat() };
        let with = |structured| Dialect { structured, ..Dialect::default() };
        let asked = request(Api::OpenAi, "m", &chat, 1, with(Structured::ResponseFormat)).unwrap();
        assert!(asked.contains(schema), "the order of its fields is kept: {asked}");
        let read: Value = serde_json::from_str(schema).unwrap();
        let response_format = body(Api::OpenAi, &chat, 1, with(Structured::ResponseFormat))["response_format"].clone();
        assert_eq!(
            (&response_format["type"], &response_format["json_schema"]["strict"]),
            (&"json_schema".into(), &true.into())
        );
        assert_eq!(response_format["json_schema"]["schema"], read);
        assert_eq!(body(Api::OpenAi, &chat, 1, with(Structured::JsonSchema))["json_schema"], read);
        assert_eq!(body(Api::OpenAi, &chat, 1, with(Structured::JsonObject))["response_format"]["type"], "json_object");
        let plain = body(Api::OpenAi, &chat, 1, with(Structured::Nothing));
        assert_eq!(plain, body(Api::OpenAi, &Chat { schema: None, ..chat.clone() }, 1, Dialect::default()));
        let anthropic = body(Api::Anthropic, &chat, 1, Dialect::default());
        assert_eq!(
            (&anthropic["tools"][0]["input_schema"], &anthropic["tool_choice"]["name"]),
            (&read, &"answer".into())
        );

        let any = Chat { schema: Some(r#"{"type": "object"}"#.into()), ..chat.clone() };
        assert_eq!(body(Api::OpenAi, &any, 1, Dialect::default())["response_format"], json!({"type": "json_object"}));
        let open = Chat { schema: Some(schema.replace("false", "true")), ..chat.clone() };
        assert_eq!(body(Api::OpenAi, &open, 1, Dialect::default())["response_format"]["json_schema"]["strict"], false);
        let broken = Chat { schema: Some("{".into()), ..chat };
        assert!(request(Api::OpenAi, "m", &broken, 1, Dialect::default()).unwrap_err().contains("schema"));
    }

    #[test]
    fn a_server_that_knows_no_schema_is_asked_for_less_unless_the_way_was_declared() {
        let told = "Invalid parameter: 'response_format' of type 'json_schema' is not supported";
        let first = Dialect::default();
        let second = first.after(told).unwrap();
        let third = second.after("response_format: extra inputs are not permitted").unwrap();
        assert_eq!((second.structured, third.structured), (Structured::JsonObject, Structured::Nothing));
        assert_eq!(third.after(told), None);
        assert_eq!(Dialect { declared: true, ..first }.after(told), None);
    }

    #[test]
    fn a_prompt_that_the_server_finds_too_long_is_known_by_its_words() {
        for told in [
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
            "the request exceeds the available context size (4096 tokens), try increasing it",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "Prompt length 9000 is greater than max_seq_len 8192",
        ] {
            assert!(too_long(told), "{told}");
        }
        assert!(!too_long("no such model") && !too_long("max_tokens is too large"));
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
            (
                Api::Anthropic,
                r#"{"content":[{"type":"tool_use","name":"answer","input":{"n":1}}],"stop_reason":"tool_use"}"#,
                r#"{"n":1}"#,
                false,
                None,
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
