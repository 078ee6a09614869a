//! The service as its clients see it: E2B's own SDKs, and requests that no SDK would send.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod client;
mod raw;
mod sdk;
mod server;

fn main() {
    meliora_sandbox::serve_if_asked(std::env::args_os());
    if std::env::args().nth(1).as_deref() == Some(server::ALONE) {
        return server::alone();
    }
    let mut tests: Vec<(&str, fn())> = Vec::new();
    tests.extend(sdk::TESTS);
    tests.extend(raw::TESTS);
    let (mut wanted, mut skipped) = (Vec::new(), Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--skip" => skipped.extend(words.next()),
            "--test-threads" => drop(words.next()),
            word if word.starts_with('-') => {}
            word => wanted.push(word.to_owned()),
        }
    }
    if std::env::args().any(|word| word == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let mut failed = 0;
    for (name, test) in tests {
        let fits = |words: &[String]| words.iter().any(|word| name.contains(word.as_str()));
        if fits(&skipped) || !wanted.is_empty() && !fits(&wanted) {
            continue;
        }
        let passed = std::panic::catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u32::from(!passed);
    }
    std::process::exit(i32::from(failed > 0));
}
