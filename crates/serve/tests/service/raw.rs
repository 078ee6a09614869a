//! What the service does with keys, limits, deaths and requests that make no sense.

use std::time::{Duration, Instant};

use meliora_serve::Config;
use serde_json::{Value, json};

use crate::client::{self, Sandbox, ask, frame, send};
use crate::server::{Server, config, spawn_alone};

pub const TESTS: &[(&str, fn())] = &[
    ("a_key_sees_its_own_sandboxes_alone", a_key_sees_its_own_sandboxes_alone),
    ("a_key_has_so_many_sandboxes_and_no_more", a_key_has_so_many_sandboxes_and_no_more),
    ("requests_that_make_no_sense_are_told_so", requests_that_make_no_sense_are_told_so),
    ("streams_that_make_no_sense_are_told_so", streams_that_make_no_sense_are_told_so),
    (
        "bodies_that_are_too_large_are_refused_before_they_are_held",
        bodies_that_are_too_large_are_refused_before_they_are_held,
    ),
    ("no_path_leads_out_of_the_sandbox", no_path_leads_out_of_the_sandbox),
    ("names_that_are_no_text_are_listed", names_that_are_no_text_are_listed),
    ("clients_that_go_in_the_middle_leave_nothing_running", clients_that_go_in_the_middle_leave_nothing_running),
    ("a_client_that_reads_nothing_does_not_fill_the_service", a_client_that_reads_nothing_does_not_fill_the_service),
    ("nothing_is_left_of_sandboxes_that_ended", nothing_is_left_of_sandboxes_that_ended),
    ("the_same_idempotency_key_makes_one_sandbox", the_same_idempotency_key_makes_one_sandbox),
    ("time_that_is_over_pauses_where_that_was_wished", time_that_is_over_pauses_where_that_was_wished),
    ("other_hosts_and_other_ports_are_not_reached", other_hosts_and_other_ports_are_not_reached),
    ("out_of_memory_ends_what_runs_and_not_the_sandbox", out_of_memory_ends_what_runs_and_not_the_sandbox),
    ("kill_nine_of_the_service_leaves_no_cage", kill_nine_of_the_service_leaves_no_cage),
];

fn base() -> Value {
    json!({"templateID": "base", "timeout": 120})
}

fn a_key_sees_its_own_sandboxes_alone() {
    let server = Server::start(Config { keys: vec!["one".into(), "two".into()], ..config(None) });
    let at = server.address;
    for (headers, word) in [(&[][..], "E2B_API_KEY"), (&[("X-API-KEY", "three")], "not known")] {
        let answer = send(at, "POST", "/v2/sandboxes", headers, b"{}");
        assert_eq!(answer.status, 401);
        assert!(answer.json()["message"].as_str().unwrap().contains(word), "{}", answer.text());
    }
    let ours = Sandbox::of(at, &ask(at, "one", &base()));
    let path = format!("/sandboxes/{}", ours.id);
    let listed =
        |key: &str| send(at, "GET", "/v2/sandboxes", &[("X-API-KEY", key)], b"").json().as_array().unwrap().len();
    assert_eq!((listed("one"), listed("two")), (1, 0));
    for (method, path) in
        [("GET", path.clone()), ("POST", format!("{path}/timeout")), ("POST", format!("{path}/connect"))]
    {
        assert_eq!(send(at, method, &path, &[("X-API-KEY", "two")], b"{\"timeout\":1}").status, 404, "{path}");
    }
    assert_eq!(ours.kill("two"), 404);
    // Who has another sandbox's token, or none, gets nowhere either.
    let theirs = Sandbox::of(at, &ask(at, "two", &base()));
    let crossed = Sandbox { token: theirs.token.clone(), ..Sandbox::of(at, &ask(at, "one", &base())) };
    for path in ["/process.Process/List", "/filesystem.Filesystem/Stat", "/execute", "/contexts", "/files?path=a"] {
        let method = if path.starts_with("/files?") { "GET" } else { "POST" };
        assert_eq!(crossed.send(method, path, "application/json", b"{}").status, 401, "{path}");
        let bare =
            send(at, method, path, &[("E2b-Sandbox-Id", &crossed.id), ("Content-Type", "application/json")], b"{}");
        assert_eq!(bare.status, 401, "{path}");
    }
    assert_eq!(ours.kill("one"), 204);
    assert_eq!(ours.kill("one"), 404);
}

fn a_key_has_so_many_sandboxes_and_no_more() {
    let server = Server::start(Config { keys: vec!["one".into(), "two".into()], max_sandboxes: 3, ..config(None) });
    let at = server.address;
    // However many ask at once.
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(at, "one", &base()))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
    let refused = answers.iter().find(|answer| answer.status != 201).unwrap();
    assert_eq!(refused.status, 429);
    assert!(refused.json()["message"].as_str().unwrap().contains("--max-sandboxes"), "{}", refused.text());
    assert_eq!(ask(at, "two", &base()).status, 201);
    let open = answers.iter().find(|answer| answer.status == 201).unwrap();
    assert_eq!(Sandbox::of(at, open).kill("one"), 204);
    assert_eq!(ask(at, "one", &base()).status, 201);
}

fn requests_that_make_no_sense_are_told_so() {
    let server = Server::start(config(None));
    let at = server.address;
    let sandbox = Sandbox::open(at);
    let create = "/v2/sandboxes";
    for (path, body, status, word) in [
        (create, &b"{"[..], 400, "JSON"),
        (create, b"[1]", 400, "object"),
        (create, b"{\"templateID\":7}", 400, "templateID"),
        (create, b"{\"templateID\":\"mine\"}", 404, "mine"),
        (create, b"{\"timeout\":-1}", 400, "timeout"),
        (create, b"{\"timeout\":999999999}", 400, "at most"),
        (create, b"{\"envVars\":{\"A=B\":\"x\"}}", 400, "variable"),
        (create, b"{\"envVars\":[]}", 400, "envVars"),
        (create, b"{\"mcp\":{\"x\":{}}}", 501, "MCP"),
        (create, b"{\"volumeMounts\":[{}]}", 501, "volumes"),
        ("/sandboxes/nonesuch/timeout", b"{\"timeout\":1}", 404, "nonesuch"),
        ("/sandboxes/nonesuch/snapshots", b"{}", 404, "nonesuch"),
        ("/nonesuch", b"{}", 404, "nonesuch"),
        ("/templates", b"{}", 404, "templates"),
    ] {
        let answer = send(at, "POST", path, &[("X-API-KEY", "k")], body);
        let told = answer.json();
        assert_eq!(answer.status, status, "{path} {told}");
        assert_eq!(told["code"], status, "{told}");
        assert!(told["message"].as_str().unwrap().contains(word), "{path} {told}");
    }
    for (method, message, status, word) in [
        ("process.Process/SendInput", json!({"process": {"pid": 7}, "input": {"stdin": "YQ=="}}), 404, "not_found"),
        ("process.Process/SendInput", json!({"process": {"pid": "x"}}), 400, "invalid_argument"),
        ("process.Process/SendInput", json!({}), 400, "invalid_argument"),
        ("process.Process/SendSignal", json!({"process": {"tag": "t"}, "signal": 9}), 404, "not_found"),
        ("process.Process/Nonesuch", json!({}), 501, "unimplemented"),
        ("filesystem.Filesystem/Stat", json!({"path": "none"}), 404, "not_found"),
        ("filesystem.Filesystem/Stat", json!({"path": "a\u{0}b"}), 400, "invalid_argument"),
        ("filesystem.Filesystem/Stat", json!({"path": 5}), 400, "invalid_argument"),
        ("filesystem.Filesystem/MakeDir", json!({"path": "/usr/x"}), 403, "permission_denied"),
        ("filesystem.Filesystem/Move", json!({"source": "none", "destination": "b"}), 404, "not_found"),
        ("filesystem.Filesystem/Remove", json!({"path": "/home/user"}), 404, "not_found"),
        ("filesystem.Filesystem/GetWatcherEvents", json!({"watcherId": "w"}), 404, "not_found"),
    ] {
        let answer = sandbox.call(method, &message);
        assert_eq!(answer.status, status, "{method} {message} {}", answer.text());
        assert_eq!(answer.json()["code"], word, "{method} {message} {}", answer.text());
    }
    for (path, kind, body, status) in [
        ("/execute", "application/json", &b"{}"[..], 400),
        ("/execute", "application/json", b"{\"code\":\"1\",\"language\":\"cobol\"}", 400),
        ("/execute", "application/json", b"{\"code\":\"1\",\"context_id\":\"none\"}", 404),
        ("/contexts/none/restart", "application/json", b"", 404),
        ("/files", "application/octet-stream", b"x", 400),
        ("/files?path=a%00b", "application/octet-stream", b"x", 400),
        ("/files?path=/etc/x", "application/octet-stream", b"x", 403),
        ("/files?path=/home/user", "application/octet-stream", b"x", 400),
        ("/files?path=a", "multipart/form-data", b"x", 400),
        ("/files?path=a", "multipart/form-data; boundary=b", b"--b\r\nx", 400),
        ("/files?path=a", "multipart/form-data; boundary=b", b"--b--", 400),
        ("/process.Process/List", "text/plain", b"{}", 501),
        ("/process.Process/List", "application/json", b"\xff", 400),
    ] {
        let answer = sandbox.send("POST", path, kind, body);
        assert_eq!(answer.status, status, "{path} {}", answer.text());
        answer.json();
    }
    // A folder is no file, and what could be executed still can when it is written anew.
    sandbox.shell("mkdir -p folder/in; echo '#!/bin/sh' > run; chmod 755 run");
    assert_eq!(sandbox.send("GET", "/files?path=folder", "", b"").status, 400);
    for (path, status) in [("folder", 400), ("run/x", 400), ("run", 200)] {
        let body = b"#!/bin/sh\necho ran\n";
        let answer = sandbox.send("POST", &format!("/files?path={path}"), "application/octet-stream", body);
        assert_eq!(answer.status, status, "{path} {}", answer.text());
    }
    assert_eq!(sandbox.shell("./run").0, "ran\n");
    let gone = Sandbox { id: "nonesuch".into(), token: String::new(), ..Sandbox::open(at) };
    for (method, path) in
        [("POST", "/process.Process/Start"), ("GET", "/files?path=a"), ("POST", "/execute"), ("GET", "/health")]
    {
        let answer = gone.send(method, path, "application/json", b"");
        assert_eq!(answer.status, 502, "{path}");
        assert!(answer.json()["message"].as_str().unwrap().contains("was not found"));
    }
    for bytes in
        [&b"\r\n\r\n\0\0\0"[..], b"GET / HTTP/9.9\r\n\r\n", b"POST /v2/sandboxes HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
    {
        drop(client::open(at, bytes));
    }
    assert_eq!(sandbox.shell("echo still here"), ("still here\n".into(), 0));
}

fn streams_that_make_no_sense_are_told_so() {
    let server = Server::start(config(None));
    let sandbox = Sandbox::open(server.address);
    let start = |body: &[u8]| {
        let answer = sandbox.send("POST", "/process.Process/Start", "application/connect+json", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let frames = answer.frames();
        let (flag, end) = frames.last().unwrap().clone();
        assert_eq!(flag, 2, "{frames:?}");
        end["error"]["code"].as_str().unwrap_or_else(|| panic!("no error: {frames:?}")).to_owned()
    };
    for (body, code) in [
        (&b""[..], "invalid_argument"),
        (b"\0\0\0", "invalid_argument"),
        (b"\0\xff\xff\xff\xff{}", "resource_exhausted"),
        (b"\x01\0\0\0\x02{}", "unimplemented"),
        (b"\x07\0\0\0\x02{}", "unimplemented"),
        (b"\x08\0\0\0\x02{}", "invalid_argument"),
        (b"\0\0\0\0\x02{x", "invalid_argument"),
        (b"\0\0\0\0\x02{}", "invalid_argument"),
    ] {
        assert_eq!(start(body), code, "{body:?}");
    }
    for process in [
        json!({"cmd": "/bin/true", "args": ["a\u{0}b"]}),
        json!({"cmd": "/bin/true", "envs": {"A=B": "x"}}),
        json!({"cmd": "/bin/true", "envs": {"A": 5}}),
        json!({"cmd": "/bin/true", "cwd": "a\u{0}"}),
        json!({"cmd": 5}),
    ] {
        assert_eq!(start(&frame(&json!({ "process": process }))), "invalid_argument", "{process}");
    }
    let connect = sandbox.send(
        "POST",
        "/process.Process/Connect",
        "application/connect+json",
        &frame(&json!({"process": {"pid": 4_000_000_000u64}})),
    );
    assert_eq!(connect.frames().last().unwrap().1["error"]["code"], "not_found");
    let watch = frame(&json!({"path": "/usr"}));
    let watch = sandbox.send("POST", "/filesystem.Filesystem/WatchDir", "application/connect+json", &watch);
    assert_eq!(watch.frames().last().unwrap().1["error"]["code"], "permission_denied");
    assert_eq!(sandbox.shell("exit 3"), (String::new(), 3));
}

fn bodies_that_are_too_large_are_refused_before_they_are_held() {
    let server = Server::start(Config { upload: 1 << 20, ..config(None) });
    let at = server.address;
    let sandbox = Sandbox::open(at);
    // Announced: nothing of it need be sent.
    let headers = sandbox.headers("application/octet-stream");
    let answer = client::read(client::open(at, &client::head("POST", "/files?path=a", &headers, 2 << 20)));
    assert_eq!(answer.status, 413, "{}", answer.text());
    let answer = client::read(client::open(at, &client::head("POST", "/v2/sandboxes", &[("X-API-KEY", "k")], 1 << 40)));
    assert_eq!(answer.status, 413, "{}", answer.text());
    // Not announced: it comes in pieces.
    let mut head = "POST /files?path=a HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n".to_owned();
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    let mut stream = client::open(at, format!("{head}\r\n").as_bytes());
    let piece = [&b"80000\r\n"[..], &vec![b'x'; 0x80000], b"\r\n"].concat();
    for _ in 0..3 {
        use std::io::Write as _;
        // The service may have said its word by now.
        stream.write_all(&piece).ok();
    }
    assert_eq!(client::read(stream).status, 413);
    assert_eq!(sandbox.send("POST", "/files?path=a", "application/octet-stream", &vec![b'x'; 1 << 20]).status, 200);
    assert_eq!(sandbox.shell("head -c 3000000 /dev/zero > big; ls").0, "a\nbig\n");
    assert_eq!(sandbox.send("GET", "/files?path=big", "", b"").status, 413);
    // What is written goes into the sandbox, as far as there is room.
    let (told, code) = sandbox.shell("head -c 1000000000 /dev/zero > fill 2>&1 || echo full");
    assert_eq!((told.lines().last(), code), (Some("full"), 0), "{told}");
}

fn no_path_leads_out_of_the_sandbox() {
    let server = Server::start(config(None));
    let sandbox = Sandbox::open(server.address);
    let host = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(host.path(), "of the host").unwrap();
    let real = host.path().to_str().unwrap();
    let link = format!(
        "ln -s {real} link; ln -s / root; mkfifo pipe; ln -s {} folder",
        host.path().parent().unwrap().display()
    );
    assert_eq!(sandbox.shell(&link).1, 0);
    let name = host.path().file_name().unwrap().to_str().unwrap();
    for path in [
        real.to_owned(),
        format!("/home/user/../../..{real}"),
        "link".to_owned(),
        format!("root{real}"),
        format!("folder/{name}"),
        format!("/proc/1/root{real}"),
        "/proc/self/environ/../../1/environ".to_owned(),
    ] {
        let answer = sandbox.send("GET", &format!("/files?path={path}"), "", b"");
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    for path in ["link", "root/tmp/x", "folder/x"] {
        let answer = sandbox.send("POST", &format!("/files?path={path}"), "application/octet-stream", b"x");
        // A link itself may be replaced by a file; nothing behind one is ever written.
        assert!(answer.status == 400 || path == "link" && answer.status == 200, "{path}: {}", answer.text());
    }
    assert_eq!(std::fs::read_to_string(host.path()).unwrap(), "of the host");
    // A pipe that nobody writes to blocks nobody.
    let begin = Instant::now();
    assert_eq!(sandbox.send("GET", "/files?path=pipe", "", b"").status, 404);
    assert!(begin.elapsed() < Duration::from_secs(15));
}

fn names_that_are_no_text_are_listed() {
    let server = Server::start(config(None));
    let sandbox = Sandbox::open(server.address);
    sandbox.shell("touch $'a\\nb' $'\\xff' ./-- ' '; mkdir -p /tmp/$'n\\nl'/x");
    let list = |path: &str, depth: u64| {
        let answer = sandbox.call("filesystem.Filesystem/ListDir", &json!({"path": path, "depth": depth}));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json();
        let names = told["entries"].as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let home = list(".", 1);
    for name in ["a\nb", "\u{fffd}", "--", " "] {
        assert!(home.contains(&format!("/home/user/{name}")), "{home:?}");
    }
    assert!(list("/tmp", 2).contains(&"/tmp/n\nl/x".to_owned()));
    assert!(list("/", 1).contains(&"/usr".to_owned()));
    let put = sandbox.send("POST", "/files?path=c%0Ad", "application/octet-stream", b"lines");
    assert_eq!((put.status, put.json()[0]["path"].as_str()), (200, Some("/home/user/c\nd")));
    assert_eq!(sandbox.send("GET", "/files?path=c%0Ad", "", b"").body, b"lines");
}

fn clients_that_go_in_the_middle_leave_nothing_running() {
    let server = Server::start(config(None));
    let at = server.address;
    let sandbox = Sandbox::open(at);
    sandbox.python("kept = 1");
    // Code: interrupted, and what it had is kept.
    let body = json!({"code": "import time\nopen('begun', 'w').close()\nwhile True: time.sleep(0.01)"}).to_string();
    let head = client::head("POST", "/execute", &sandbox.headers("application/json"), body.len());
    let stream = client::open(at, &[head, body.into_bytes()].concat());
    until("the code has begun", || sandbox.call("filesystem.Filesystem/Stat", &json!({"path": "begun"})).status == 200);
    drop(stream);
    let told = sandbox.python("kept");
    assert!(told.iter().any(|line| line["text"] == "1"), "{told:?}");
    // Code that heeds nothing: its interpreter is ended, and the next call has a new one.
    let body =
        json!({"code": "import signal\nsignal.signal(2, signal.SIG_IGN)\nopen('deaf', 'w').close()\nwhile True: pass"})
            .to_string();
    let head = client::head("POST", "/execute", &sandbox.headers("application/json"), body.len());
    let stream = client::open(at, &[head, body.into_bytes()].concat());
    until("the code has begun", || sandbox.call("filesystem.Filesystem/Stat", &json!({"path": "deaf"})).status == 200);
    drop(stream);
    let told = sandbox.python("'kept' in globals()");
    assert!(told.iter().any(|line| line["text"] == "False"), "{told:?}");
    // A command: it runs on, but no longer than its time.
    let message = frame(&json!({"process": {"cmd": "/bin/sleep", "args": ["60"]}, "stdin": false}));
    let mut headers = sandbox.headers("application/connect+json").to_vec();
    headers.push(("Connect-Timeout-Ms", "2000"));
    let head = client::head("POST", "/process.Process/Start", &headers, message.len());
    let stream = client::open(at, &[head, message].concat());
    let running = || sandbox.call("process.Process/List", &json!({})).json()["processes"].as_array().unwrap().len();
    until("the command runs", || running() == 1);
    drop(stream);
    assert_eq!(running(), 1);
    until("the command is over", || running() == 0);
    // Half a body, half a message, half a head.
    for bytes in [
        client::head("POST", "/execute", &sandbox.headers("application/json"), 1000),
        [
            client::head("POST", "/process.Process/StreamInput", &sandbox.headers("application/connect+json"), 99),
            vec![0, 0],
        ]
        .concat(),
        b"POST /exec".to_vec(),
    ] {
        drop(client::open(at, &bytes));
    }
    assert_eq!(sandbox.shell("echo up").0, "up\n");
}

fn a_client_that_reads_nothing_does_not_fill_the_service() {
    let server = Server::start(config(None));
    let sandbox = Sandbox::open(server.address);
    let message = frame(&json!({"process": {"cmd": "/usr/bin/yes"}, "stdin": true}));
    let head =
        client::head("POST", "/process.Process/Start", &sandbox.headers("application/connect+json"), message.len());
    let before = resident();
    let stream = client::open(server.address, &[head, message].concat());
    let pid = || sandbox.call("process.Process/List", &json!({})).json()["processes"][0]["pid"].as_u64();
    until("the command runs", || pid().is_some());
    // It does not read what is written to it, either: the writer waits, and what it prints meanwhile is not kept.
    let pid = pid().unwrap();
    let input = vec![b'A'; 1 << 20];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            sandbox.call(
                "process.Process/SendInput",
                &json!({"process": {"pid": pid}, "input": {"stdin": String::from_utf8(input).unwrap()}}),
            )
        });
        std::thread::sleep(Duration::from_secs(2));
        let grown = resident().saturating_sub(before);
        assert!(grown < 200 << 20, "{grown} bytes more");
        sandbox.call("process.Process/SendSignal", &json!({"process": {"pid": pid}, "signal": "SIGNAL_SIGKILL"}));
        writer.join().unwrap();
    });
    drop(stream);
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

fn nothing_is_left_of_sandboxes_that_ended() {
    let server = Server::start(config(None));
    let at = server.address;
    let round = || {
        let sandbox = Sandbox::of(at, &ask(at, "k", &json!({"timeout": 120})));
        sandbox.python("print(1)");
        sandbox.shell("(sleep 100 &) ; echo x > f");
        sandbox.call("filesystem.Filesystem/CreateWatcher", &json!({"path": "."}));
        let message = frame(&json!({"process": {"cmd": "/bin/sleep", "args": ["100"]}, "stdin": false}));
        let head =
            client::head("POST", "/process.Process/Start", &sandbox.headers("application/connect+json"), message.len());
        let stream = client::open(at, &[head, message].concat());
        assert_eq!(sandbox.kill("k"), 204);
        // Who was listening is told.
        let answer = client::read(stream);
        assert!(
            answer.status == 502
                || answer.frames().last().is_some_and(|(_, end)| end["error"]["code"] == "unavailable"),
            "{}",
            answer.text()
        );
    };
    round();
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let (files, threads) = (count("fd"), count("task"));
    (0..15).for_each(|_| round());
    until("descriptors and threads are as before", || count("fd") <= files + 2 && count("task") <= threads + 8);
}

fn the_same_idempotency_key_makes_one_sandbox() {
    let server = Server::start(config(None));
    let ask = |name: &str| {
        let headers = [("X-API-KEY", "k"), ("Idempotency-Key", name)];
        Sandbox::of(
            server.address,
            &send(server.address, "POST", "/v2/sandboxes", &headers, base().to_string().as_bytes()),
        )
        .id
    };
    let first = ask("a");
    assert_eq!(ask("a"), first);
    assert_ne!(ask("b"), first);
}

fn time_that_is_over_pauses_where_that_was_wished() {
    let server = Server::start(config(None));
    let at = server.address;
    let wish = |resume: bool| {
        let body = json!({"templateID": "base", "timeout": 1, "autoPause": true, "autoResume": {"enabled": resume}});
        Sandbox::of(at, &ask(at, "k", &body))
    };
    let state = |sandbox: &Sandbox| {
        send(at, "GET", &format!("/sandboxes/{}", sandbox.id), &[("X-API-KEY", "k")], b"").json()["state"].clone()
    };
    let (sleeps, wakes) = (wish(false), wish(true));
    sleeps.shell("echo kept > f");
    until("both are paused", || state(&sleeps) == "paused" && state(&wakes) == "paused");
    assert_eq!(sleeps.send("GET", "/files?path=f", "", b"").status, 502);
    assert_eq!(wakes.shell("echo awake").0, "awake\n");
    let connect =
        send(at, "POST", &format!("/v2/sandboxes/{}/connect", sleeps.id), &[("X-API-KEY", "k")], b"{\"timeout\":60}");
    assert_eq!(connect.status, 201);
    assert_eq!(sleeps.send("GET", "/files?path=f", "", b"").body, b"kept\n");
    let pause = || send(at, "POST", &format!("/sandboxes/{}/pause", sleeps.id), &[("X-API-KEY", "k")], b"{}").status;
    assert_eq!((pause(), pause()), (204, 409));
}

fn other_hosts_and_other_ports_are_not_reached() {
    let server = Server::start(config(None));
    let at = server.address;
    let sandbox = Sandbox::open(at);
    // A page that gave its own name this machine's address.
    let answer = send(at, "POST", "/v2/sandboxes", &[("X-API-KEY", "k"), ("Host", "evil.example")], b"{}");
    assert_eq!(answer.status, 403, "{}", answer.text());
    // Clients that name the sandbox by its host.
    let host = format!("49983-{}.localhost:1", sandbox.id);
    let answer = send(at, "GET", "/health", &[("Host", &host)], b"");
    assert_eq!(answer.status, 204);
    let answer = send(at, "GET", "/health", &[("E2b-Sandbox-Id", &sandbox.id), ("E2b-Sandbox-Port", "8080")], b"");
    assert_eq!(answer.status, 502);
    assert!(answer.json()["message"].as_str().unwrap().contains("port is not open"), "{}", answer.text());
}

fn out_of_memory_ends_what_runs_and_not_the_sandbox() {
    let mut limits = config(None).limits;
    limits.memory = 256 << 20;
    let server = Server::start(Config { limits, ..config(None) });
    let sandbox = Sandbox::open(server.address);
    let told = sandbox.python("x = bytearray(1 << 30)");
    assert!(told.iter().any(|line| line["name"] == "MemoryError"), "{told:?}");
    // Together more than they may, though none alone is.
    let script = "for i in 1 2 3 4; do python3 -c 'x = b\"1\" * (120 << 20); import time; time.sleep(20)' & done; wait";
    sandbox.shell(script);
    until("code runs", || sandbox.python("1 + 1").iter().any(|line| line["text"] == "2"));
    // And what is left in the background lives on afterwards, too.
    sandbox.shell("(sleep 1; echo late > late) > /dev/null 2>&1 &");
    until("the background goes on", || sandbox.send("GET", "/files?path=late", "", b"").body == b"late\n");
}

fn kill_nine_of_the_service_leaves_no_cage() {
    let (mut service, at) = spawn_alone();
    let sandbox = Sandbox::open(at);
    let mark = format!("{}.{}", 4_000_000 + std::process::id(), 25);
    let message = frame(&json!({"process": {"cmd": "/bin/sleep", "args": [mark]}, "stdin": false}));
    let head =
        client::head("POST", "/process.Process/Start", &sandbox.headers("application/connect+json"), message.len());
    let _stream = client::open(at, &[head, message].concat());
    sandbox.python("print(1)");
    until("the command runs", || marked(&mark) == 1);
    service.kill().unwrap();
    service.wait().unwrap();
    until("nothing of it is left", || marked(&mark) == 0);
}

/// Processes of this machine that carry a mark on their command line.
fn marked(mark: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())).count()
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "not in a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
