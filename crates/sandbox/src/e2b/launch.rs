//! How a command is started in a sandbox as the port promises it: exactly its environment, its folder, a process group
//! of its own, limits as far as a process can carry them. The daemon knows none of these; a few lines of shell do.

use meliora_domain::Limits;
use meliora_evolve::{Command, SandboxError};

use crate::plan::failed;

/// Runs as `sh -c SCRIPT sh NONCE FOLDER DATA CPU FILES SIZE VARIABLES… PROGRAM ARGUMENTS…` and becomes the command.
///
/// The first line of standard error (of the terminal, if there is one) tells the process number inside, behind a
/// nonce; the daemon's own number may be another, and only the inner one names the group that signals go to. A limit
/// that the sandbox does not let us set is already a narrower one.
const SCRIPT: &str = r#"
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
printf 'meliora:%s:%s\n' "$1" "$$" >&2
cd -- "$2" 2>/dev/null || { echo 'cannot enter the folder to start in' >&2; exit 126; }
{ ulimit -c 0; ulimit -d "$3"; ulimit -S -t "$4"; ulimit -H -t "$(($4 + 1))"; ulimit -n "$5"; ulimit -f "$6"; } 2>/dev/null
shift 6
group=
read -r _ _ _ _ group _ </proc/self/stat 2>/dev/null
if [ -n "$group" ] && [ "$group" != "$$" ] && command -v setsid >/dev/null 2>&1
then exec setsid env -i -- "$@"
else exec env -i -- "$@"
fi
"#;

/// Sends a signal to a group, or to the process alone where it has none of its own. (`kill -9 -- -7` is no command of
/// every shell; this form is.)
pub(crate) const SIGNAL: &str = r#"kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" -- "$2" 2>/dev/null; exit 0"#;

/// Stops or continues all processes of the user that runs it, but for the shell that asks.
pub(crate) const SIGNAL_ALL: &str = r#"kill -s "$1" -- -1 2>/dev/null; exit 0"#;

/// Makes the sandbox ready: the folder that subjects live in, perhaps under a second name, and the paths that the
/// caller counts on. Runs as root.
pub(crate) const PREPARE: &str = r#"
mkdir -p /work || { echo 'the folder /work cannot be made'; exit 3; }
[ "$(id -u)" != 0 ] || chmod 1777 /work || { echo 'the folder /work cannot be opened to all'; exit 3; }
home=$1
shift
if [ -n "$home" ] && ! [ "$home" -ef /work ]; then
    mkdir -p -- "$home" && mount --bind /work "$home" || { echo "/work cannot be shown as $home"; exit 3; }
fi
for path do
    [ -e "$path" ] || { echo "$path"; exit 4; }
done
exit 0
"#;

/// A command, ready to be sent.
pub(crate) struct Launch {
    /// Arguments of `/bin/sh`.
    pub(crate) args: Vec<String>,
    /// What the first line begins with.
    pub(crate) preamble: Preamble,
}

/// Prepares a command. `env` are the variables of the cage.
pub(crate) fn launch(
    command: &Command,
    env: &[(String, String)],
    limits: &Limits,
    nonce: &str,
) -> Result<Launch, SandboxError> {
    let program = command.argv.first().ok_or_else(|| failed("command", "it has no program"))?;
    if program.contains('=') {
        return Err(failed("command", format!("the program '{program}' has '=' in its name")));
    }
    let of_cage = env.iter().filter(|(name, _)| !command.env.iter().any(|(other, _)| other == name));
    let mut variables = Vec::new();
    for (name, value) in of_cage.chain(&command.env) {
        if name.is_empty() || name.contains('=') {
            return Err(failed(format!("environment variable '{name}'"), "not a name"));
        }
        variables.push(format!("{name}={value}"));
    }
    let mut args = vec!["-c".to_owned(), SCRIPT.to_owned(), "sh".to_owned(), nonce.to_owned(), command.cwd.clone()];
    args.extend([
        (limits.memory / 1024).to_string(),
        limits.cpu_seconds.to_string(),
        limits.files.to_string(),
        // In blocks of 512 bytes, as POSIX has it.
        limits.disk.div_ceil(512).to_string(),
    ]);
    args.extend(variables);
    args.extend(command.argv.iter().cloned());
    if args.iter().any(|text| text.contains('\0')) {
        return Err(failed("command", "it has a zero byte in it"));
    }
    Ok(Launch { args, preamble: Preamble::new(nonce) })
}

/// Takes the first line off what a command says.
#[derive(Debug)]
pub(crate) struct Preamble {
    expected: Vec<u8>,
    seen: Option<Vec<u8>>,
}

impl Preamble {
    fn new(nonce: &str) -> Self {
        Preamble { expected: format!("meliora:{nonce}:").into_bytes(), seen: Some(Vec::new()) }
    }

    /// Gives back what the command itself said, and its number as soon as that is known.
    pub(crate) fn take(&mut self, bytes: Vec<u8>) -> (Vec<u8>, Option<u32>) {
        let Some(seen) = &mut self.seen else { return (bytes, None) };
        seen.extend(bytes);
        let fits = seen.iter().zip(&self.expected).all(|(a, b)| a == b);
        // The number has ten digits at most.
        if fits && seen.len() < self.expected.len() + 12 && !seen.contains(&b'\n') {
            return (Vec::new(), None);
        }
        let seen = self.seen.take().unwrap_or_default();
        let line = seen.iter().position(|b| *b == b'\n');
        let number = line
            .filter(|_| fits)
            .and_then(|end| std::str::from_utf8(&seen[self.expected.len().min(end)..end]).ok())
            .and_then(|digits| digits.trim_end().parse().ok());
        match (number, line) {
            (Some(number), Some(end)) => (seen[end + 1..].to_vec(), Some(number)),
            // Not ours: the shell could not even begin, and says why.
            _ => (seen, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Command as Host, Output};

    /// Runs what would be sent with a shell of this machine.
    fn here(
        shell: &str,
        command: &Command,
        env: &[(String, String)],
        limits: &Limits,
    ) -> (Output, Option<u32>, Vec<u8>) {
        let mut launch = launch(command, env, limits, "nonce").unwrap();
        let output = Host::new(shell).arg0("sh").args(&launch.args).env("LEAK", "1").output().unwrap();
        let (said, number) = launch.preamble.take(output.stderr.clone());
        (output, number, said)
    }

    fn shells() -> Vec<&'static str> {
        ["/bin/sh", "/bin/bash", "/bin/dash"].into_iter().filter(|shell| std::path::Path::new(shell).exists()).collect()
    }

    fn command(argv: &[&str]) -> Command {
        Command { argv: argv.iter().map(|a| (*a).to_owned()).collect(), cwd: "/tmp".into(), ..Command::default() }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_command_has_its_folder_and_exactly_its_variables() {
        for shell in shells() {
            let mut all = command(&["/usr/bin/env"]);
            all.env = vec![pair("B", "2 = two\nlines"), pair("-u", "dash")];
            let (output, number, said) = here(shell, &all, &[pair("A", "1"), pair("B", "cage")], &Limits::default());
            assert_eq!(String::from_utf8(output.stdout).unwrap(), "A=1\nB=2 = two\nlines\n-u=dash\n", "{shell}");
            let (output, ..) = here(shell, &command(&["/bin/pwd"]), &[], &Limits::default());
            assert_eq!(String::from_utf8(output.stdout).unwrap(), "/tmp\n", "{shell}");
            assert!(number.is_some() && said.is_empty(), "{shell}: {}", String::from_utf8_lossy(&said));
        }
    }

    #[test]
    fn what_cannot_start_says_so_as_a_shell_would() {
        for shell in shells() {
            let limits = Limits::default();
            let (missing, number, said) = here(shell, &command(&["/no/such"]), &[], &limits);
            assert_eq!(missing.status.code(), Some(127));
            assert!(number.is_some() && String::from_utf8_lossy(&said).contains("/no/such"), "{shell}");
            assert_eq!(here(shell, &command(&["/etc/passwd"]), &[], &limits).0.status.code(), Some(126), "{shell}");
            let nowhere = Command { cwd: "/no/such".into(), ..command(&["/bin/true"]) };
            let (nowhere, _, said) = here(shell, &nowhere, &[], &limits);
            assert_eq!(nowhere.status.code(), Some(126), "{shell}");
            assert!(String::from_utf8_lossy(&said).contains("folder"), "{shell}");
        }
    }

    #[test]
    fn a_command_leads_a_group_and_the_number_told_is_its_own() {
        for shell in shells() {
            let told = r#"read -r pid _ _ _ group _ </proc/self/stat; echo "$pid $group""#;
            let (output, number, _) = here(shell, &command(&["/bin/sh", "-c", told]), &[], &Limits::default());
            let number = number.unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), format!("{number} {number}"), "{shell}");
        }
    }

    #[test]
    fn a_signal_reaches_a_command_and_what_it_started() {
        for shell in shells() {
            // The child's end shows in the pipe that both hold.
            let both = command(&["/bin/sh", "-c", "sleep 1000 & wait"]);
            let launch = launch(&both, &[], &Limits::default(), "nonce").unwrap();
            let mut child = Host::new(shell)
                .arg0("sh")
                .args(&launch.args)
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
            std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
            let number = line.trim_end().rsplit(':').next().unwrap();
            let group = format!("/proc/{number}/stat");
            // Once it leads its group.
            while std::fs::read_to_string(&group).unwrap().split(' ').nth(4) != Some(number) {}
            let signalled = Host::new(shell).args(["-c", SIGNAL, "sh", "9", number]).status().unwrap();
            assert!(signalled.success());
            let mut rest = Vec::new();
            std::io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut rest).unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn limits_of_a_process_hold() {
        let limits = Limits { memory: 64 << 20, files: 20, disk: 1 << 20, cpu_seconds: 7, ..Limits::default() };
        for shell in shells() {
            let asked = "ulimit -c; ulimit -d; ulimit -S -t; ulimit -H -t; ulimit -n; ulimit -f";
            let (output, ..) = here(shell, &command(&["/bin/sh", "-c", asked]), &[], &limits);
            let told = String::from_utf8(output.stdout).unwrap();
            let mut lines: Vec<&str> = told.lines().collect();
            let blocks = lines.pop().unwrap();
            assert_eq!(lines, ["0", "65536", "7", "8", "20"], "{shell}");
            assert!(["2048", "1024"].contains(&blocks), "{shell}: {blocks} blocks are not 1 MiB");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for broken in [command(&[]), command(&["/bin/a=b"]), command(&["/bin/true", "a\0b"])] {
            assert!(launch(&broken, &[], &Limits::default(), "n").is_err());
        }
        for name in ["", "A=B"] {
            assert!(launch(&command(&["/bin/true"]), &[pair(name, "1")], &Limits::default(), "n").is_err());
        }
    }

    proptest! {
        #[test]
        fn the_first_line_is_taken_off_however_it_arrives(rest in prop::collection::vec(any::<u8>(), 0..50), cut in 0usize..100, crlf: bool) {
            let mut bytes = format!("meliora:abc:4711{}\n", if crlf { "\r" } else { "" }).into_bytes();
            bytes.extend(&rest);
            let cut = cut.min(bytes.len());
            let mut preamble = Preamble::new("abc");
            let (mut said, first) = preamble.take(bytes[..cut].to_vec());
            let (more, second) = preamble.take(bytes[cut..].to_vec());
            said.extend(more);
            prop_assert_eq!(said, rest);
            prop_assert_eq!(first.or(second), Some(4711));
        }

        #[test]
        fn what_is_not_ours_passes_whole(bytes in prop::collection::vec(any::<u8>(), 0..60), cut in 0usize..60) {
            prop_assume!(!bytes.starts_with(b"m"));
            let cut = cut.min(bytes.len());
            let mut preamble = Preamble::new("abc");
            let (mut said, first) = preamble.take(bytes[..cut].to_vec());
            let (more, second) = preamble.take(bytes[cut..].to_vec());
            said.extend(more);
            prop_assert_eq!(said, bytes);
            prop_assert_eq!(first.or(second), None);
        }
    }
}
