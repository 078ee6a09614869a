//! The client of E2B's cloud against a small cloud of the tests' own: what it sends, what it makes of answers, and what
//! it does when the cloud fails.
#![allow(clippy::unwrap_used)]

mod cloud;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud::{Cloud, Failure, KEY};
use meliora_domain::{Ending, Finished, Limits};
use meliora_evolve::{
    Cage, CageError, CageSpec, Command, EntryKind, Happening, ReadOnly, Sandbox, SandboxError, Terminal, run_to_end,
};
use meliora_sandbox::{E2b, E2bSettings, Key};

fn settings(cloud: &Cloud) -> E2bSettings {
    E2bSettings {
        api_url: Some(cloud.url.clone()),
        sandbox_url: Some(format!("{}/", cloud.url)),
        ..E2bSettings::new(Key::new(KEY).unwrap())
    }
}

/// A client that does not wait, and what it would have waited.
fn impatient(settings: E2bSettings) -> (Result<E2b, SandboxError>, Arc<Mutex<Vec<Duration>>>) {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&waits);
    (E2b::with_waiter(settings, Box::new(move |pause| noted.lock().unwrap().push(pause))), waits)
}

fn client(cloud: &Cloud) -> E2b {
    impatient(settings(cloud)).0.unwrap()
}

fn open(e2b: &E2b, limits: Limits) -> Box<dyn Cage> {
    let mut spec = CageSpec::manual();
    (spec.limits, spec.env) = (limits, vec![("A".into(), "1".into())]);
    e2b.open(spec).unwrap()
}

fn cage(e2b: &E2b) -> Box<dyn Cage> {
    open(e2b, Limits::default())
}

fn command(argv: &[&str]) -> Command {
    Command { argv: argv.iter().map(|a| (*a).to_owned()).collect(), ..Command::default() }
}

fn run(cage: &dyn Cage, argv: &[&str]) -> Result<Finished, SandboxError> {
    run_to_end(cage, &command(argv), b"")
}

fn error<T>(result: Result<T, SandboxError>) -> String {
    let Err(error) = result else { panic!("it worked") };
    let told = format!("{error}; {}", error.hint.as_deref().unwrap_or_default());
    assert!(!told.contains(KEY), "the key shows: {told}");
    told
}

#[test]
fn a_command_runs_and_its_streams_and_code_come_back() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    let ran = run(&*cage, &["/do/say", "out", "err", "7"]).unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"out".as_slice(), b"err".as_slice()));
    assert_eq!(ran.ending, Ending::Exited(7));
}

#[test]
fn a_sandbox_is_asked_for_with_an_end_and_without_a_way_out() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    drop(cage(&e2b));
    let made = cloud.asked("POST /v2/sandboxes").remove(0);
    let body = made.json();
    assert_eq!((&body["timeout"], &body["allow_internet_access"]), (&300.into(), &false.into()));
    assert_eq!(body["network"]["allowPublicTraffic"], false);
    assert_eq!(body["templateID"], "code-interpreter-v1");
    assert!(made.header("idempotency-key").len() > 10);
    // The key goes to the control plane alone, and no environment of ours with anything.
    for asked in cloud.asked("") {
        let inside = asked.path.contains("Process") || asked.path.contains("files");
        assert_eq!(asked.headers.contains_key("x-api-key"), !inside, "{asked:?}");
    }
    let start = cloud.asked("process.Process/Start").remove(0);
    assert_eq!(start.header("authorization"), "Basic cm9vdDo=", "the folder is made as root");
    assert_eq!((start.header("e2b-sandbox-id"), start.header("e2b-sandbox-port")), ("sbx1", "49983"));
    assert_eq!(start.header("connect-protocol-version"), "1");
}

#[test]
fn a_command_is_sent_with_its_folder_variables_and_a_time_of_its_own() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    let mut say = command(&["/do/say", "", "", "0"]);
    (say.cwd, say.env) = ("/work/deep".into(), vec![("B".into(), "2".into())]);
    say.wall = Some(Duration::from_secs(3));
    run_to_end(&*cage, &say, b"").unwrap();
    let start = cloud.asked("process.Process/Start").pop().unwrap();
    let args: Vec<String> = serde_json::from_value(start.json()["process"]["args"].clone()).unwrap();
    assert_eq!(args[4..5], ["/work/deep"]);
    assert_eq!(args[args.len() - 6..], ["A=1", "B=2", "/do/say", "", "", "0"]);
    // If we die, the daemon itself ends the command soon after its time.
    assert_eq!(start.header("connect-timeout-ms"), "13000");
    assert_eq!(start.header("authorization"), "", "commands run as the template's user");
}

#[test]
fn a_dropped_cage_is_ended_and_so_is_what_it_ran() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    let process = cage.spawn(&command(&["/do/sleep"])).unwrap();
    drop(cage);
    assert_eq!(process.next().unwrap(), Happening::Exit(Ending::Signalled(9)));
    assert_eq!(process.next().unwrap(), Happening::Exit(Ending::Signalled(9)));
    drop((process, e2b));
    // The client's own end waits for it.
    assert_eq!((cloud.asked("DELETE /sandboxes/sbx1").len(), cloud.alive()), (1, 0));
}

#[test]
fn a_held_sandbox_is_asked_to_live_on() {
    let cloud = Cloud::start();
    let e2b = impatient(E2bSettings { lifetime: Duration::from_secs(15), ..settings(&cloud) }).0.unwrap();
    let cage = cage(&e2b);
    let kept = cloud.until(|asked| asked.iter().find(|a| a.path == "/sandboxes/sbx1/timeout").cloned());
    assert_eq!(kept.json()["timeout"], 15);
    drop(cage);
}

#[test]
fn a_key_that_is_not_taken_is_said_and_never_shown() {
    let cloud = Cloud::start();
    let wrong = E2bSettings { key: Key::new("e2b_wrong_secret").unwrap(), ..settings(&cloud) };
    let told = error(impatient(wrong).0);
    assert!(told.contains("key is not accepted (401)") && told.contains("E2B_API_KEY"), "{told}");
    assert!(!told.contains("wrong_secret"), "{told}");
    assert_eq!(cloud.asked("").len(), 1, "it is not tried again");
}

#[test]
fn a_cloud_that_is_not_there_is_said_with_what_to_check() {
    let mut settings = settings(&Cloud::start());
    // A port that nobody listens on: it was just given back.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings.api_url = Some(format!("http://{closed}"));
    let (result, waits) = impatient(settings);
    let told = error(result);
    assert!(told.contains("cannot be reached") && told.contains("E2B_API_URL"), "{told}");
    assert_eq!(waits.lock().unwrap().len(), 3, "it is tried again first");
}

#[test]
fn a_cloud_that_says_nothing_is_given_up() {
    let cloud = Cloud::start();
    cloud.fail("GET /v2/sandboxes", 1, Failure::Hang);
    let told = error(impatient(E2bSettings { request: Duration::from_millis(50), ..settings(&cloud) }).0);
    assert!(told.contains("no answer within 0.05 s"), "{told}");
}

#[test]
fn an_address_that_is_no_such_cloud_is_said() {
    let cloud = Cloud::start();
    cloud.fail("GET /v2/sandboxes", 1, Failure::Bytes(b"<html>hello</html>".to_vec()));
    assert!(error(impatient(settings(&cloud)).0).contains("cannot be read"));
    cloud.fail("GET /v2/sandboxes", 4, Failure::Short);
    assert!(error(impatient(settings(&cloud)).0).contains("connection broke"));
    cloud.fail("GET /v2/sandboxes", 1, Failure::Status(302, "location: http://elsewhere/\r\n", String::new()));
    assert!(error(impatient(settings(&cloud)).0).contains("points elsewhere"));
}

#[test]
fn a_busy_cloud_is_asked_again_when_it_says() {
    let cloud = Cloud::start();
    let (e2b, waits) = impatient(settings(&cloud));
    let e2b = e2b.unwrap();
    cloud.fail(
        "POST /v2",
        1,
        Failure::Status(429, "retry-after: 7\r\n", r#"{"code":429,"message":"slow down"}"#.into()),
    );
    cloud.refuse("POST /v2", 1, 503, "busy");
    let cage = cage(&e2b);
    let waits = waits.lock().unwrap().clone();
    assert_eq!((waits[0], waits.len()), (Duration::from_secs(7), 2));
    let keys: Vec<String> =
        cloud.asked("POST /v2").iter().map(|asked| asked.header("idempotency-key").to_owned()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "the same request makes one sandbox: {keys:?}");
    drop(cage);
}

#[test]
fn a_quota_that_stays_full_is_said_with_what_to_do() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    for (headers, tries) in [("", 4), ("retry-after: 3600\r\n", 1), ("should-retry: false\r\n", 1)] {
        let before = cloud.asked("POST /v2").len();
        let full = r#"{"code":429,"message":"you have reached the maximum number of concurrent sandboxes"}"#;
        cloud.fail("POST /v2", tries, Failure::Status(429, headers, full.into()));
        let told = error(e2b.open(CageSpec::manual()).map(drop));
        assert!(told.contains("maximum number") && told.contains("--jobs"), "{told}");
        assert_eq!(cloud.asked("POST /v2").len() - before, tries as usize, "{headers}");
    }
}

#[test]
fn a_template_that_is_not_there_is_named() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    cloud.refuse("POST /v2", 1, 404, r#"{"code":404,"message":"template not found"}"#);
    let told = error(e2b.open(CageSpec::manual()).map(drop));
    assert!(told.contains("code-interpreter-v1") && told.contains("[sandbox.e2b] template"), "{told}");
}

#[test]
fn what_the_template_lacks_is_refused_and_the_sandbox_ended() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let mut spec = CageSpec::manual();
    spec.read_only = vec![ReadOnly { path: "/usr/bin".into() }, ReadOnly { path: "/no/such/python".into() }];
    let told = error(e2b.open(spec.clone()).map(drop));
    assert!(told.contains("/no/such/python") && told.contains("[sandbox] python"), "{told}");
    for path in ["relative", "/", "/proc/1", "/usr/../etc"] {
        spec.read_only = vec![ReadOnly { path: path.into() }];
        assert!(error(e2b.open(spec.clone()).map(drop)).contains(path));
    }
    cloud.old("0.5.1");
    assert!(error(e2b.open(CageSpec::manual()).map(drop)).contains("0.5.1"));
    drop(e2b);
    assert_eq!(cloud.alive(), 0);
}

#[test]
fn files_go_in_and_come_out_and_links_are_not_followed() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = open(&e2b, Limits { disk: 100, ..Limits::default() });
    let odd = "/work/a b&c=ü\n.txt";
    cage.put(odd, b"abc", false).unwrap();
    assert_eq!(cage.get(odd, 3).unwrap(), b"abc");
    assert!(matches!(cage.get(odd, 2), Err(CageError::TooLarge { size: 3, limit: 2, .. })));
    assert!(matches!(cage.put("/work/big", &[0; 101], false), Err(CageError::Full { .. })));
    cloud.refuse("POST /files", 1, 507, r#"{"code":507,"message":"no space"}"#);
    assert!(matches!(cage.put("/work/big", &[0; 99], false), Err(CageError::Full { .. })));
    for path in ["/etc/passwd", "/work/../etc/passwd", "work/x", "/workshop/x", "/work/a\0b", "/work"] {
        assert!(matches!(cage.put(path, b"x", false), Err(CageError::NoFile { .. })), "{path:?}");
    }
    let before = cloud.asked("").len();
    assert!(matches!(cage.get("/etc/passwd", 9), Err(CageError::NoFile { .. })));
    assert_eq!(cloud.asked("").len(), before, "what is out of reach is not even asked for");

    // A subject runs, and leaves traps.
    run(&*cage, &["/do/say", "", "", "0"]).unwrap();
    cloud.leave("/etc/secret", "FILE_TYPE_FILE", b"secret", None);
    cloud.leave("/work/link", "FILE_TYPE_FILE", b"secret", Some("/etc/secret"));
    cloud.leave("/work/way", "FILE_TYPE_DIRECTORY", b"", Some("/etc"));
    cloud.leave("/work/way/secret", "FILE_TYPE_FILE", b"secret", None);
    cloud.leave("/work/pipe", "FILE_TYPE_UNSPECIFIED", b"", None);
    for trap in ["/work/link", "/work/way/secret", "/work/pipe", "/work/none"] {
        assert!(matches!(cage.get(trap, 100), Err(CageError::NoFile { .. })), "{trap}");
    }
    assert!(cage.put("/work/way/new", b"x", false).is_err() && cage.list("/work/way").is_err());
    assert_eq!(cage.stat("/work/link").unwrap().kind, EntryKind::Link);
    cage.put("/work/link", b"mine", true).unwrap();
    assert_eq!(cloud.file("/etc/secret").unwrap().bytes, b"secret", "what stood there was taken away, not opened");
    assert_eq!(cage.get("/work/link", 100).unwrap(), b"mine");
    assert!(cloud.asked("Start").iter().any(|asked| asked.json().to_string().contains("chmod 755")));
}

#[test]
fn folders_are_made_listed_moved_and_removed() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    assert!(cage.make_folder("/work/d").unwrap() && !cage.make_folder("/work/d").unwrap());
    cage.put("/work/d/f", b"1234", false).unwrap();
    let entries = cage.list("/work/d").unwrap();
    assert_eq!((entries.len(), entries[0].name.as_str(), entries[0].size), (1, "f", 4));
    assert!(entries[0].modified.as_secs() > 1_600_000_000);
    assert!(matches!(cage.make_folder("/work/d/f"), Err(CageError::NoFile { .. })));
    cage.rename("/work/d/f", "/work/g").unwrap();
    cage.remove("/work/g").unwrap();
    assert!(cage.remove("/work/g").is_err() && cage.remove("/work").is_err() && cage.stat("/work/g").is_err());
}

#[test]
fn input_arrives_in_order_and_ends() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = open(&e2b, Limits { output: 8 << 20, ..Limits::default() });
    let much: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    let cat = run_to_end(&*cage, &command(&["/do/cat"]), &much).unwrap();
    assert!(cat.stdout == much && cat.ending == Ending::Exited(0));
    // One that is over takes none, which is no error.
    let process = cage.spawn(&command(&["/do/say", "x", "", "0"])).unwrap();
    process.write(&much).unwrap();
    process.close_stdin();
    process.write(b"late").unwrap();
}

#[test]
fn a_terminal_has_one_stream_a_size_and_a_character_for_the_end() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    let terminal = Some(Terminal { columns: 80, rows: 24 });
    let process = cage.spawn(&Command { terminal, ..command(&["/do/cat"]) }).unwrap();
    process.write(b"hello").unwrap();
    assert_eq!(process.next().unwrap(), Happening::Stdout(b"hello".to_vec()));
    process.resize(Terminal { columns: 132, rows: 50 }).unwrap();
    process.close_stdin();
    assert_eq!(process.next().unwrap(), Happening::Exit(Ending::Exited(0)));
    let start = cloud.asked("Start").pop().unwrap().json();
    assert_eq!(start["pty"]["size"], serde_json::json!({"cols": 80, "rows": 24}));
    assert_eq!(cloud.asked("Update")[0].json()["pty"]["size"]["cols"], 132);
    assert!(cloud.asked("SendInput").iter().all(|asked| asked.json()["input"]["pty"].is_string()));
}

#[test]
fn signals_go_to_the_group_inside() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    for signal in [15, 9] {
        let process = cage.spawn(&command(&["/do/sleep"])).unwrap();
        process.signal(signal).unwrap();
        assert_eq!(process.next().unwrap(), Happening::Exit(Ending::Signalled(signal)));
    }
    assert_eq!(
        run(&*cage, &["/do/status", "signal: segmentation fault (core dumped)"]).unwrap().ending,
        Ending::Signalled(11)
    );
    assert_eq!(run(&*cage, &["/do/status", "signal: signal 24"]).unwrap().ending, Ending::CpuTime);
    assert!(error(run(&*cage, &["/do/status", "gone fishing"])).contains("gone fishing"));
}

#[test]
fn limits_of_time_and_output_are_kept_from_here() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = open(&e2b, Limits { wall: Duration::from_millis(300), output: 100_000, ..Limits::default() });
    assert_eq!(run(&*cage, &["/do/sleep"]).unwrap().ending, Ending::WallClock);
    assert_eq!(run(&*cage, &["/do/late"]).unwrap().ending, Ending::WallClock);
    let cage = open(&e2b, Limits { output: 100_000, ..Limits::default() });
    let flood = run(&*cage, &["/do/flood"]).unwrap();
    assert_eq!((flood.stdout.len(), flood.ending), (100_000, Ending::OutputCap));
}

#[test]
fn a_stream_that_breaks_is_an_error_and_not_an_end() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    let process = cage.spawn(&command(&["/do/cut"])).unwrap();
    assert_eq!(process.next().unwrap(), Happening::Stdout(b"half".to_vec()));
    let told = error(process.next());
    assert!(told.contains("output of a command") && !told.contains("sandbox ended"), "{told}");
    assert_eq!(error(process.next()), told, "and stays one");
    assert!(error(run(&*cage, &["/do/garbage"])).contains("cannot be read"));
    assert!(error(run(&*cage, &["/do/huge"])).contains("4294967295 bytes"));
    assert!(error(run(&*cage, &["/do/vanish"])).contains("the sandbox ended while the command ran"));
    let told = error(cage.spawn(&command(&["/do/say", "", "", "0"])).map(drop));
    assert!(told.contains("sandbox has ended") && told.contains("lifetime_seconds"), "{told}");
}

#[test]
fn a_command_that_may_have_started_is_not_started_again() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    for (failure, tries) in [(Failure::Cut, 1), (Failure::Status(502, "", "bad gateway".into()), 1)] {
        let before = cloud.asked("Start").len();
        cloud.fail("Process/Start", 1, failure);
        assert!(cage.spawn(&command(&["/do/say", "", "", "0"])).is_err());
        assert_eq!(cloud.asked("Start").len() - before, tries);
    }
    // One that surely has not is.
    cloud.refuse("Process/Start", 2, 429, r#"{"code":"resource_exhausted","message":"later"}"#);
    assert_eq!(run(&*cage, &["/do/say", "", "", "0"]).unwrap().ending, Ending::Exited(0));
}

#[test]
fn several_threads_use_one_command_and_commands_do_not_mix() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let cage = &cage;
            scope.spawn(move || {
                let ran = run(&**cage, &["/do/say", &format!("out{n}"), &format!("err{n}"), &n.to_string()]).unwrap();
                assert_eq!((ran.stdout, ran.ending), (format!("out{n}").into_bytes(), Ending::Exited(n)));
            });
        }
    });
}

#[test]
fn use_is_what_the_cloud_measured() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let cage = cage(&e2b);
    let used = cage.usage();
    assert_eq!((used.cpu_seconds, used.peak_memory), (2.5, 90_000_000));
    cloud.refuse("metrics", 9, 500, "");
    assert_eq!(cage.usage().peak_memory, 90_000_000, "the most that was seen stays");
}

#[test]
fn code_runs_in_the_interpreter_of_the_template() {
    let cloud = Cloud::start();
    let e2b = client(&cloud);
    let lines = "{\"type\":\"result\",\"text\":\"42\",\"is_main_result\":true}\n{\"type\":\"error\",\"name\":\"E\",\"value\":\"v\",\"traceback\":\"t\"}\n{\"type\":\"end_of_execution\"}\n";
    let done = e2b.run_code(&["print(1)"]).unwrap();
    assert_eq!((done.len(), done[0].stdout.as_str()), (1, "1\n"));
    cloud.fail("/execute", 1, Failure::Bytes(lines.as_bytes().to_vec()));
    let done = e2b.run_code(&["x", "never"]).unwrap();
    assert_eq!((done.len(), done[0].error.as_ref().unwrap().name.as_str()), (1, "E"));
    for (broken, part) in [
        (Failure::Bytes(b"no json\n".to_vec()), "cannot be read"),
        (Failure::Bytes(Vec::new()), "said nothing"),
        (Failure::Short, "broke"),
        (Failure::Status(404, "", r#"{"message":"Context not found"}"#.into()), "Context not found"),
    ] {
        cloud.fail("/execute", 1, broken);
        let told = error(e2b.run_code(&["x"]));
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(cloud.asked("POST /execute")[0].header("e2b-sandbox-port"), "49999");
}
