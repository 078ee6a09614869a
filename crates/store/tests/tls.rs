//! A Postgres that speaks only TLS: each `sslmode` connects where it should, checks what it promises, and says what is wrong.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use meliora_domain::{Event, Timestamp};
use meliora_evolve::Archive as _;
use meliora_store::{Address, GitArchive};
use tempfile::TempDir;

/// A server of this test's own.
struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

/// A command as the user who may run a server: root may not.
fn as_user(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// User and group of `postgres`, where this is root.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).unwrap();
    let fields: Vec<&str> = line.split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

/// What is needed, or `None` and why not, said aloud. On CI it must be there.
fn programs() -> Option<PathBuf> {
    let folder = std::fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = folder.map(|entry| entry.path().join("bin")).collect();
    found.retain(|bin| bin.join("initdb").is_file());
    found.sort();
    let openssl = Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    match found.pop().filter(|_| openssl) {
        Some(bin) => Some(bin),
        None if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("no initdb, or no openssl"),
        None => {
            eprintln!("SKIPPED: no initdb below /usr/lib/postgresql, or no openssl");
            None
        }
    }
}

impl Server {
    fn start() -> Option<Server> {
        let programs = programs()?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        if let Some((user, group)) = other_user() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Server { folder, programs, port };
        server.openssl(&["req", "-x509", "-out", "server.crt", "-keyout", "server.key", "-addext", NAME]);
        server.program("initdb", &["-U", "postgres", "-A", "trust", "--no-sync"]);
        let put = |name: &str, text: String| std::fs::write(server.path("data").join(name), text).unwrap();
        put("pg_hba.conf", "hostssl all all all trust\n".into());
        let place = server.folder.path().display();
        put(
            "postgresql.auto.conf",
            format!(
                "ssl = on\nssl_cert_file = '{place}/server.crt'\nssl_key_file = '{place}/server.key'\nport = {port}\n\
                 listen_addresses = '127.0.0.1'\nunix_socket_directories = '{place}'\nfsync = off\n"
            ),
        );
        server.program("pg_ctl", &["-w", "-l", &server.path("log").display().to_string(), "start"]);
        Some(server)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, args: &[&str]) {
        let mut command = as_user(self.programs.join(name));
        let done =
            command.arg("-D").arg(self.path("data")).args(args).current_dir(self.folder.path()).status().unwrap();
        assert!(done.success(), "{name} {args:?}: {}", std::fs::read_to_string(self.path("log")).unwrap_or_default());
    }

    /// Makes a key and what is certified of it, for the name `localhost`.
    fn openssl(&self, args: &[&str]) {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"];
        let key: &[&str] = if args[0] == "req" { &key } else { &[] };
        let mut command = as_user("openssl");
        let done = command.args(args).args(key).current_dir(self.folder.path()).stderr(Stdio::null()).status().unwrap();
        assert!(done.success(), "openssl {args:?}");
    }

    /// The server with another certificate, which an authority has signed.
    fn certify(&self) {
        self.openssl(&["req", "-x509", "-out", "ca.crt", "-keyout", "ca.key"]);
        self.openssl(&["req", "-out", "server.csr", "-keyout", "server.key"]);
        std::fs::write(self.path("names"), NAME).unwrap();
        let signed = ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
        self.openssl(&[&signed[..], &["-extfile", "names", "-out", "server.crt"]].concat());
        self.reload();
    }

    fn reload(&self) {
        self.program("pg_ctl", &["reload"]);
        // The server takes it in when it gets to it.
        std::thread::sleep(std::time::Duration::from_millis(500));
    }

    fn open(&self, host: &str, tls: &str) -> Result<GitArchive, String> {
        let url = format!("postgres://postgres@{host}:{}/postgres{tls}", self.port);
        let url = url.replace("ROOT", &self.folder.path().display().to_string());
        let address = Address::parse(&url).map_err(|e| format!("{e:?}"))?;
        GitArchive::open_on(Path::new(&self.path("project")), &address).map_err(|e| format!("{e:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut command = as_user(self.programs.join("pg_ctl"));
        let _ = command.arg("-D").arg(self.path("data")).args(["-m", "immediate", "stop"]).status();
    }
}

const NAME: &str = "subjectAltName=DNS:localhost";

#[test]
fn every_sslmode_connects_where_it_should_checks_what_it_promises_and_says_what_is_wrong() {
    let Some(server) = Server::start() else { return };
    std::fs::create_dir(server.path("project")).unwrap();
    let opens = |host: &str, tls: &str| {
        let opened = server.open(host, tls);
        assert!(opened.is_ok(), "{host}{tls}: {}", opened.err().unwrap_or_default());
    };
    let fails = |host: &str, tls: &str, parts: &[&str]| {
        let told = server.open(host, tls).err().unwrap_or_else(|| panic!("{host}{tls} connects"));
        assert!(parts.iter().all(|part| told.contains(part)), "{host}{tls}: {told}");
    };

    // With a certificate of its own making. The server takes nobody in clear, so that what connects is encrypted.
    fails("127.0.0.1", "?sslmode=disable", &["no encryption", "pg_hba.conf"]);
    opens("127.0.0.1", "");
    opens("127.0.0.1", "?sslmode=prefer");
    opens("127.0.0.1", "?sslmode=require");
    opens("127.0.0.1", "?sslmode=verify-ca&sslrootcert=ROOT/server.crt");
    opens("127.0.0.1", "?sslmode=require&sslrootcert=ROOT/server.crt");
    opens("localhost", "?sslmode=verify-full&sslrootcert=ROOT/server.crt");
    fails("127.0.0.1", "?sslmode=verify-full&sslrootcert=ROOT/server.crt", &["as its certificate does"]);
    fails("localhost", "?sslmode=verify-full", &["sslrootcert=FILE"]);

    let archive = server.open("localhost", "?sslmode=verify-full&sslrootcert=ROOT/server.crt").unwrap();
    archive.append(&[Event::Warned { message: "over TLS".into() }], Timestamp(1)).unwrap();
    assert_eq!(archive.verify().unwrap(), 1);

    // With one that an authority signed: the old one proves nothing any more.
    std::fs::rename(server.path("server.crt"), server.path("old.crt")).unwrap();
    server.certify();
    opens("127.0.0.1", "?sslmode=require");
    opens("127.0.0.1", "?sslmode=verify-ca&sslrootcert=ROOT/ca.crt");
    opens("localhost", "?sslmode=verify-full&sslrootcert=ROOT/ca.crt");
    fails("127.0.0.1", "?sslmode=verify-full&sslrootcert=ROOT/ca.crt", &["as its certificate does"]);
    fails("localhost", "?sslmode=verify-ca&sslrootcert=ROOT/old.crt", &["sslrootcert=FILE"]);
    fails("localhost", "?sslmode=require&sslrootcert=ROOT/old.crt", &["sslrootcert=FILE"]);
    // The connection that stood goes on.
    archive.append(&[Event::Warned { message: "and on".into() }], Timestamp(2)).unwrap();
    assert_eq!(archive.verify().unwrap(), 2);

    // A server that speaks none is not talked to in clear by whom it matters to.
    let settings = server.path("data").join("postgresql.auto.conf");
    std::fs::write(&settings, std::fs::read_to_string(&settings).unwrap().replace("ssl = on", "ssl = off")).unwrap();
    std::fs::write(server.path("data").join("pg_hba.conf"), "host all all all trust\n").unwrap();
    server.reload();
    for mode in ["require", "verify-ca&sslrootcert=ROOT/ca.crt", "verify-full"] {
        fails("localhost", &format!("?sslmode={mode}"), &["does not support TLS", "ssl = on"]);
    }
    opens("localhost", "?sslmode=prefer");
    opens("localhost", "?sslmode=disable");
}
