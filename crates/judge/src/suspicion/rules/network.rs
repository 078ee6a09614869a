//! What goes over the network: secrets that leave, answers that come.

use super::super::Finding;
use super::super::scene::{Scene, words};
use super::super::tree::{Id, Kind};

/// Secrets by name.
fn secret(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "token"
                | "password"
                | "secret"
                | "secrets"
                | "passwd"
                | "credential"
                | "credentials"
                | "cookie"
                | "cookies"
                | "environ"
                | "ssn"
        )
    }) || words
        .windows(2)
        .any(|w| matches!((w[0].as_str(), w[1].as_str()), ("private", "key") | ("api", "key") | ("access", "key")))
}

/// Names of what reports home.
fn reports(name: &str) -> bool {
    words(name).iter().any(|w| {
        matches!(
            w.as_str(),
            "track"
                | "analytics"
                | "telemetry"
                | "event"
                | "events"
                | "metrics"
                | "stats"
                | "beacon"
                | "collect"
                | "report"
                | "sync"
                | "backup"
                | "heartbeat"
                | "ping"
                | "log"
                | "debug"
        )
    })
}

pub(super) fn sends(callee: &str) -> bool {
    matches!(
        callee,
        "requests.post"
            | "requests.put"
            | "requests.get"
            | "requests.request"
            | "httpx.post"
            | "httpx.get"
            | "httpx.put"
            | "urllib.request.urlopen"
            | "urlopen"
            | "fetch"
            | "axios.post"
            | "axios.get"
            | "axios"
            | "navigator.sendBeacon"
            | "http.request"
            | "https.request"
            | "https.get"
            | "http.get"
            | "socket.create_connection"
            | "socket.socket"
            | "net.connect"
            | "net.createConnection"
            | "std.net.TcpStream.connect"
            | "reqwest.get"
            | "reqwest.Client.new"
            | "ureq.post"
            | "ureq.get"
            | "aiohttp.ClientSession"
            | "smtplib.SMTP"
            | "http.client.HTTPSConnection"
            | "http.client.HTTPConnection"
            | "ftplib.FTP"
            | "reqwest.blocking.get"
    )
}

pub(super) fn look(scene: &Scene<'_>, out: &mut Vec<Finding>) {
    let code = scene.code;
    for (id, callee) in scene.calls() {
        if !sends(&callee) || scene.in_test(id) {
            continue;
        }
        let function = code.function(id);
        let name = function.map(|f| code.name_of(f)).unwrap_or_default();
        let address = code.at(id).kids.first().map(|k| scene.texts(*k).join(" ")).unwrap_or_default();
        let reporting = reports(name) || reports(&address);
        let whole = scope(scene, id);
        let read = whole.iter().any(|n| {
            let path = scene.path(*n);
            let environment = path == "os.environ"
                && !code.is(code.at(*n).parent, Kind::Member)
                && !code.is(code.at(*n).parent, Kind::Index)
                || path == "process.env"
                    && !code.is(code.at(*n).parent, Kind::Member)
                    && !code.is(code.at(*n).parent, Kind::Index);
            let files = code.is(*n, Kind::Str)
                && [".ssh/", ".aws/", "/etc/passwd", "/etc/shadow", ".netrc", "id_rsa", ".env"]
                    .iter()
                    .any(|f| code.at(*n).op.contains(f));
            environment || files
        });
        // A login sends a password where it belongs; a report has no business with one.
        let given = whole.iter().any(|n| {
            let node = code.at(*n);
            matches!(node.kind, Kind::Name | Kind::Member | Kind::Call)
                && secret(if node.kind == Kind::Call { "" } else { &node.op })
                && !authorizes(scene, *n)
        });
        if read || (reporting && given) {
            out.push(scene.found("exfiltration", id, "sends secrets of this machine to another"));
        }
        if super::inside::graders(&address.replace("://", "/")) && !scene.tests && !reporting {
            out.push(scene.found("grader-files", id, "fetches answers over the network"));
        }
    }
}

/// The function that a node is in, or the whole text.
fn scope(scene: &Scene<'_>, id: Id) -> Vec<Id> {
    scene.code.under(scene.code.function(id).unwrap_or(0))
}

fn authorizes(scene: &Scene<'_>, id: Id) -> bool {
    scene.code.around(id).any(|up| {
        let node = scene.code.at(up);
        let key = node.a.map(|a| scene.code.at(a).op.to_lowercase()).unwrap_or_default();
        (node.kind == Kind::Pair && matches!(key.as_str(), "authorization" | "x-api-key" | "x-auth-token" | "cookie"))
            || (node.kind == Kind::Keyword && matches!(node.op.as_str(), "headers" | "auth" | "cookies"))
    })
}
