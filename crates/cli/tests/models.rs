//! Models: what `models test` finds, several of them by name, answers kept on disk, and servers that misbehave.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use common::{Project, toml};
use serde_json::{Value, json};

/// A model server: each chat's answer is the body that `answer` makes of its number and its request; `None` ends it.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    fn start(mut answer: impl FnMut(usize, &Value) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&mut stream);
                let body = match request.split_once("\r\n\r\n").filter(|_| request.starts_with("POST")) {
                    Some((_, body)) => {
                        let body: Value = serde_json::from_str(body).unwrap();
                        let mut seen = seen.lock().unwrap();
                        let Some(answer) = answer(seen.len(), &body) else { return };
                        seen.push(body);
                        answer
                    }
                    None => br#"{"object":"list","data":[{"id":"m","owned_by":"vllm","max_model_len":4096},{"id":"other"}]}"#.to_vec(),
                };
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length";
                let _ = stream.write_all(format!("{head}: {}\r\n\r\n", body.len()).as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        Server { url, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut bytes = [0; 65536];
    loop {
        let n = stream.read(&mut bytes).unwrap_or(0);
        request.extend_from_slice(&bytes[..n]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let lower = text.to_lowercase();
        let length = lower.split("content-length:").nth(1).and_then(|t| t.lines().next()?.trim().parse().ok());
        let whole = text.find("\r\n\r\n").is_some_and(|at| request.len() >= at + 4 + length.unwrap_or(0));
        if n == 0 || whole {
            return text;
        }
    }
}

fn says(text: &str, finish: &str) -> Vec<u8> {
    json!({
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 20}
    })
    .to_string()
    .into_bytes()
}

const RIGHT: &str = "```python\ndef add(a, b):\n    \"\"\"The sum of a and b.\"\"\"\n    return a + b\n```";

#[test]
fn a_test_of_models_tells_what_each_can_do_and_which_are_gone() {
    let server = Server::start(|_, asked| {
        let held = asked.get("response_format").is_some();
        Some(says(if held { r#"{"colour":"red","odd":true}"# } else { "one\ntwo" }, "stop"))
    });
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let project = Project::empty();
    project.meliora(&["models", "test"]).exits(3).says(&["no model is configured", "--base-url"]);
    let named = |url: &str| format!("base_url = \"{url}\"\nprice_prompt = 1.0\nprice_completion = 2.0\nretries = 0\n");
    let both = format!("[models.big]\n{}\n[models.gone]\n{}", named(&server.url), named(&gone.to_string()));
    project.write("meliora.toml", toml(&["*.py"], &both));

    let lines = project.meliora(&["models", "test", "--json"]).exits(6).objects();
    let [big, gone] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&big["place"], &big["name"], &big["server"]), (&json!("models.big"), &json!("m"), &json!("vLLM")));
    assert_eq!(
        (&big["reachable"], &big["structured"], &big["context"]),
        (&json!(true), &json!("response_format"), &json!(4096))
    );
    assert_eq!((&big["models"], &big["tokens"]), (&json!(["m", "other"]), &json!(3 * 320)));
    assert!(big["read_tokens_per_second"].as_f64().unwrap() > 0.0 && big["usd"].as_f64().unwrap() > 0.0);
    assert_eq!(gone["reachable"], false);
    assert!(gone["error"].as_str().unwrap().contains("cannot be reached"), "{gone}");

    project.meliora(&["models", "test", "big"]).exits(0).says(&[
        "vLLM",
        "by response_format",
        "other models there: other",
        "put `context = 4096` into [models.big]",
    ]);
    project.meliora(&["models", "test", "bgi"]).exits(2).says(&["there is no [models.bgi]; there are big, gone"]);
    let elsewhere = Project::empty();
    elsewhere.meliora(&["models", "test", "--base-url", &server.url]).exits(0).says(&["by response_format"]);
}

#[test]
fn proposers_use_the_models_that_they_name() {
    let (weak, strong) =
        (Server::start(|_, _| Some(says("no idea", "stop"))), Server::start(|_, _| Some(says(RIGHT, "stop"))));
    let project = Project::add();
    let models = format!(
        "[run]\njobs = 1\nproposers = [\"rewrite:weak\", \"rewrite:strong\"]\n\n[models.weak]\nbase_url = \"{}\"\n\n\
         [models.strong]\nbase_url = \"{}\"\nsize = \"70b\"\n",
        weak.url, strong.url
    );
    project.write("meliora.toml", toml(&["sums.py"], &models));
    let ran = project.meliora(&["run", ".", "--json", "--evals", "20"]).exits(0);
    assert_eq!(ran.last()["reason"], "solved");
    let begun = &project.events("run_started")[0];
    let arms = &begun["arms"];
    assert_eq!((&arms[0]["kind"], &arms[1]["kind"]), (&json!("rewrite:weak"), &json!("rewrite:strong")));
    assert!(weak.asked() > 0 && strong.asked() > 0);
    project
        .meliora(&["run", ".", "--proposer", "rewrite:nobody"])
        .exits(2)
        .says(&["no [models.nobody]", "strong, weak"]);

    // By its name a model of the list stands for the one without a name.
    let other = Project::add();
    other.write("meliora.toml", toml(&["sums.py"], &models));
    other.meliora(&["run", ".", "--proposer", "rewrite", "--model", "strong", "--evals", "9"]).exits(0);
}

#[test]
fn money_is_not_limited_by_prices_that_nobody_gave() {
    let server = Server::start(|_, _| Some(says(RIGHT, "stop")));
    let project = Project::add();
    let args = ["run", ".", "--proposer", "rewrite", "--base-url", &server.url, "--usd", "1"];
    project.meliora(&args).exits(3).says(&["what the model costs is not known", "price_prompt"]);
    assert_eq!(server.asked(), 0);
    project.write("meliora.toml", toml(&["sums.py"], "[model]\nprice_prompt = 0\nprice_completion = 0"));
    project.meliora(&args).exits(0);
}

#[test]
fn what_was_answered_before_is_free_and_the_report_says_so() {
    let server = Server::start(|_, _| Some(says(RIGHT, "stop")));
    let project = Project::add();
    let args = |json: &'static str| ["run", ".", json, "--jobs", "1", "--proposer", "rewrite", "--evals", "9"];
    let run = |cache: &str, json| {
        let model = format!("[model]\nbase_url = \"{}\"\ncache = \"{cache}\"", server.url);
        project.write("meliora.toml", toml(&["sums.py"], &model));
        // All but the kept answers is gone, so that the same run is made once more; also what saw the journal.
        let _ = std::fs::remove_dir_all(project.state());
        let state =
            std::fs::read_dir(project.path(".meliora")).into_iter().flatten().map(|entry| entry.unwrap().path());
        for path in state.filter(|path| !path.ends_with("answers")) {
            if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
        }
        project.meliora(&args(json)).exits(0)
    };
    let first = run("always", "--json").last();
    assert!(first["tokens"].as_u64().unwrap() > 0 && first["cached_calls"] == 0, "{first}");
    let asked = server.asked();
    let again = run("always", "--json").last();
    assert_eq!((&again["tokens"], &again["cached_tokens"]), (&json!(0), &first["tokens"]), "{again}");
    assert_eq!(server.asked(), asked, "nothing was asked again");
    run("always", "--usd=0").says(&["answered from the cache"]);
    assert_eq!(run("never", "--json").last()["cached_calls"], 0);
    assert!(server.asked() > asked);
}

#[test]
fn whatever_a_model_answers_is_an_outcome_and_a_run_goes_on_where_the_server_went_down() {
    let bad: Vec<Vec<u8>> = vec![
        // It ignores the form, repeats itself until it is cut off, answers in another language.
        says("I would rather talk about the weather.", "stop"),
        says(&"the same again ".repeat(40), "length"),
        says("你好！我不能帮助你修改这个程序。", "stop"),
        // It sends letters that are none, a body that ends too early, a stream that was not asked for, nothing.
        b"{\"choices\":[{\"message\":{\"content\":\"\xff\xfe\"}}]}".to_vec(),
        b"{\"choices\":[{\"message\":{\"content\":\"de".to_vec(),
        b"data: {\"choices\":[{\"delta\":{\"content\":\"d\"}}]}\n\n".to_vec(),
        Vec::new(),
    ];
    let calls = bad.len() * 2;
    let server = Server::start(move |n, _| (n < calls).then(|| bad[n % bad.len()].clone()));
    let project = Project::add();
    let model = "[model]\nretries = 0\ntemperature = 0.5\nname = \"m\"";
    project.write("meliora.toml", toml(&["sums.py"], model));
    let run = |url: &str| {
        let args = ["run", ".", "--json", "--jobs", "1", "--proposer", "rewrite", "--base-url", url, "--evals", "30"];
        project.meliora(&args)
    };
    run(&server.url).exits(6).says(&["cannot be reached", "is the server running?"]);
    assert_eq!(server.asked(), calls);
    let reasons: Vec<String> = project
        .events("bid")
        .iter()
        .map(|e| e["outcome"]["unusable"]["reason"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(reasons.iter().any(|reason| reason.contains("the reply is not JSON")), "{reasons:?}");
    assert!(reasons.len() >= 4 && reasons.iter().all(|reason| !reason.is_empty()), "{reasons:?}");
    let before = project.journal().len();

    let healthy = Server::start(|_, _| Some(says(RIGHT, "stop")));
    let last = run(&healthy.url).exits(0).last();
    assert_eq!(last["reason"], "solved");
    assert!(last["attempts"].as_u64().unwrap() > reasons.len() as u64, "it is the same run: {last}");
    assert!(project.journal().len() > before);
    project.chain_holds();
}

#[test]
fn a_prompt_that_does_not_fit_is_unusable_and_never_sent() {
    let server = Server::start(|_, _| Some(says(RIGHT, "stop")));
    let project = Project::add();
    // Room for so few tokens that no question fits beside an answer.
    let model = format!("[model]\nbase_url = \"{}\"\nmax_tokens = 100\ncontext = 101", server.url);
    project.write("meliora.toml", toml(&["sums.py"], &model));
    let ran = project.meliora(&["run", ".", "--json", "--jobs", "1", "--proposer", "rewrite", "--evals", "9"]);
    assert_ne!(ran.code, 0, "{}", ran.out);
    assert_eq!(server.asked(), 0);
    let attempts = project.events("bid");
    let reason = attempts[0]["outcome"]["unusable"]["reason"].as_str().unwrap();
    assert!(reason.contains("too long for the model"), "{reason}");
}

#[test]
fn what_says_much_the_same_as_before_is_not_examined_where_a_model_embeds() {
    let server = Server::start(|_, asked| {
        let text = asked["input"].as_str().unwrap();
        let vector = if text.contains("a + b") { [0.1, 1.0] } else { [1.0, f64::from(text.len() as u32 % 7) / 1000.0] };
        Some(json!({"data": [{"embedding": vector}], "usage": {"prompt_tokens": 40}}).to_string().into_bytes())
    });
    let project = Project::add();
    let files = json!(["def add(a, b):\n    return a - b - 0\n", "def add(a, b):\n    return a + b\n"]);
    project.write(
        "propose.py",
        format!(
            "import json, sys\nstep = json.load(sys.stdin)['step']\nfiles = json.loads({:?})\n\
             print(json.dumps({{'exhausted': True}} if step > len(files) else {{'reason': f'idea {{step}}', \
             'edits': [{{'write': {{'path': 'sums.py', 'content': files[step - 1]}}}}]}}))\n",
            files.to_string()
        ),
    );
    let settings = |above: f64| {
        format!(
            "[command]\nargv = [\"python3\", \"propose.py\"]\n\n[run]\nproposers = [\"command\"]\njobs = 1\n\n\
             [models.near]\nbase_url = \"{}\"\nname = \"m\"\n\n[search.novelty]\nmodel = \"near\"\nabove = {above}\n",
            server.url
        )
    };
    project.write("meliora.toml", toml(&["sums.py"], &settings(0.99)));
    let last = project.meliora(&["run", ".", "--json", "--evals", "20", "--tokens", "5000"]).exits(0).last();
    assert_eq!((&last["champion_score"], &last["tokens"]), (&1.0.into(), &120.into()), "{last}");
    assert_eq!((project.events("duplicate").len(), project.events("judged").len()), (1, 1));
    assert_eq!(server.asked(), 3, "the baseline and both proposals");
    // Without a likeness that counts everything is examined, and nothing is asked twice.
    project.write("meliora.toml", toml(&["sums.py"], &settings(1.0)));
    project.meliora(&["run", ".", "--fresh", "--evals", "20"]).exits(0);
    assert_eq!((project.events("judged").len(), server.asked()), (3, 3));
    project.edit("meliora.toml", "model = \"near\"", "model = \"far\"");
    project.meliora(&["run", "."]).exits(3).says(&["[search.novelty] model", "there is no [models.far]"]);
}
