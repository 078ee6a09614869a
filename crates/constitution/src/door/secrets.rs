//! Which files may hold secrets, by their names: those that programs keep keys and passwords under, in any case of
//! letters, and as backups, copies and packed. And whether a folder has such a file, for programs that read all of it.

use std::path::{Path, PathBuf};

use crate::path::fold;

/// Names of files and folders that credentials are in.
const NAMES: [&str; 96] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".dockercfg",
    ".password-store",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".mylogin.cnf",
    ".git-credentials",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".vault-token",
    ".vault_pass",
    ".vault-pass",
    ".htpasswd",
    ".htdigest",
    ".s3cfg",
    ".boto",
    ".terraformrc",
    ".authinfo",
    ".msmtprc",
    ".fetchmailrc",
    ".smbcredentials",
    ".envrc",
    "shadow",
    "gshadow",
    "sudoers",
    "sudoers.d",
    "opasswd",
    "kubeconfig",
    "wp-config.php",
    ".envs",
    ".databrickscfg",
    ".snowsql",
    ".mbsyncrc",
    ".offlineimaprc",
    ".muttrc",
    ".mailrc",
    ".wgetrc",
    ".curlrc",
    ".odbc.ini",
    ".rclone.conf",
    "rclone.conf",
    ".ftpconfig",
    ".remote-sync.json",
    "sftp-config.json",
    "pip.conf",
    "nuget.config",
    "auth.json",
    "auth.toml",
    "local.settings.json",
    "settings-security.xml",
    "local_settings.py",
    "settings_local.py",
    "cookies.txt",
    "cookies.sqlite",
    "cookiejar",
    "logins.json",
    "logins.csv",
    "key3.db",
    "key4.db",
    "wallet.dat",
    ".secretsmanager",
    "kaggle.json",
    ".claude.json",
    "wg0.conf",
    "wpa_supplicant.conf",
    "sftp.json",
    "filezilla.xml",
    "recentservers.xml",
    "login data",
    ".flaskenv",
    "my.cnf",
    "pgpass",
    ".dockerconfigjson",
    "htpasswd",
    "secret",
    "secrets",
    ".secret",
    ".secrets",
    "credential",
    "credentials",
    "creds",
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "token",
    ".token",
    "apikey",
];
/// Of those, the ones that also are the names of modules, folders of code, routes and branches: of these only files count
/// that hold data.
const WORDS_FROM: usize = 82;
/// Ends of such names.
const ENDS: [&str; 21] = [
    ".pem",
    ".key",
    ".p8",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".truststore",
    ".kdb",
    ".kdbx",
    ".keytab",
    ".ppk",
    ".ovpn",
    ".tfstate",
    ".tfvars",
    ".kubeconfig",
    ".credentials",
    ".passwd",
    ".secret",
    ".netrc",
    ".opvault",
];
/// Words at the end of the name of a file of data that say so: `sa-key.json`, `keys.txt`.
const PARTS: [&str; 20] = [
    "key",
    "keys",
    "token",
    "pass",
    "passwd",
    "password",
    "passwords",
    "pw",
    "pwd",
    "secret",
    "secrets",
    "creds",
    "oauth",
    "jwt",
    "mnemonic",
    "wallet",
    "keystore",
    "cookie",
    "cookies",
    "private",
];
/// Files that hold secrets in a folder of this name.
const PLACES: [(&str, &str); 7] = [
    ("gh", "hosts.yml"),
    (".m2", "settings.xml"),
    (".gradle", "gradle.properties"),
    (".bundle", "config"),
    ("glab-cli", "config.yml"),
    (".fly", "config.yml"),
    (".netlify", "config.json"),
];
/// What the name of a file of data says when there are secrets in it.
const WORDS: [&str; 31] = [
    "secret",
    "credential",
    "passwd",
    "password",
    "passphrase",
    "apikey",
    "api_key",
    "api-key",
    "privatekey",
    "private_key",
    "private-key",
    "accesskey",
    "access_key",
    "access-key",
    "access_token",
    "access-token",
    "auth_token",
    "auth-token",
    "serviceaccount",
    "service_account",
    "service-account",
    "adminsdk",
    "vault_pass",
    "vault-pass",
    "refresh_token",
    "session_token",
    "recovery-code",
    "recovery_code",
    "backup-code",
    "backup_code",
    "seed_phrase",
];
/// Ends of names of files that hold data, not code and not prose.
const DATA: [&str; 24] = [
    "yml",
    "yaml",
    "json",
    "json5",
    "toml",
    "ini",
    "conf",
    "cfg",
    "cnf",
    "config",
    "env",
    "txt",
    "xml",
    "properties",
    "csv",
    "tsv",
    "enc",
    "plist",
    "asc",
    "gpg",
    "age",
    "b64",
    "dat",
    "data",
];
/// What copies and backups are called behind the name of what they are of.
const COPIES: [&str; 26] = [
    "~", "#", ".bak", ".old", ".orig", ".save", ".backup", ".copy", ".tmp", ".temp", ".swp", ".swo", ".new", ".prev",
    ".back", ".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", "-old", "_old", "-bak", "_bak",
];
/// What the name of an example says.
const EXAMPLES: [&str; 5] = ["example", "sample", "template", "dist", "defaults"];
/// Folders that are not looked into for secrets: what they hold was fetched or built, or is the history.
const PASSED: [&str; 9] =
    ["target", "node_modules", ".git", ".venv", "venv", "vendor", "site-packages", "__pycache__", ".meliora"];
/// So many entries are looked at.
const MOST: usize = 20_000;

/// Whether a file's or folder's name is one that credentials go by.
pub(crate) fn holds_secret(path: &str) -> bool {
    let parts = originals(path);
    let last = parts.last().map_or("", String::as_str);
    let data = match last.trim_start_matches('.').rsplit_once('.') {
        Some((_, extension)) => DATA.contains(&extension),
        None => true,
    };
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| if stem.is_empty() { last } else { stem });
    let spoken = || stem.rsplit(['.', '-', '_', ' ']).next().is_some_and(|word| PARTS.contains(&word));
    let says = data
        && match last.contains('.') {
            true => WORDS.iter().any(|word| stem.contains(word)) || matches!(stem, "vault" | ".vault") || spoken(),
            // Branches, routes and programs have no extension either: of those only what is made of several words.
            false => last.contains(['-', '_']) && key_like(last),
        };
    let placed = |two: &[String]| PLACES.iter().any(|(folder, name)| two[0] == *folder && two[1] == *name);
    says && !is_example(last)
        || parts.windows(2).any(placed)
        || parts.iter().any(|part| sure(part) || data && named(part).is_some())
}

/// `deploy_key`, `github_token`, `ssh_host_rsa_key`: what keys and tokens are kept under without an extension.
fn key_like(name: &str) -> bool {
    let last = name.rsplit(['-', '_']).next().unwrap_or_default();
    matches!(last, "key" | "token" | "secret" | "password" | "passwd" | "credentials" | "apikey") && name.contains('_')
}

/// The same where what is named may be no file at all: only names that nothing else goes by, and files with an extension.
pub(crate) fn surely_holds_secret(path: &str) -> bool {
    let parts = originals(path);
    parts.iter().any(|part| sure(part)) || parts.last().is_some_and(|last| last.contains('.')) && holds_secret(path)
}

fn originals(path: &str) -> Vec<String> {
    path.split('/').map(|part| original(&fold(part)).to_owned()).collect()
}

fn named(part: &str) -> Option<usize> {
    NAMES.iter().position(|name| *name == part || part.strip_prefix('.') == Some(name))
}

fn sure(part: &str) -> bool {
    named(part).is_some_and(|at| at < WORDS_FROM) || keeps(part)
}

/// Names that need no look at what else the path says.
fn keeps(part: &str) -> bool {
    let keys = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ed448", "id_xmss"];
    let environment = part == "env.local"
        || part.ends_with(".env") && !is_example(part)
        || part.contains(".env.") && !is_example(part)
        || part.strip_prefix(".env").is_some_and(|rest| rest.starts_with(['.', '-', '_']) && !is_example(rest));
    environment
        || ENDS.iter().any(|end| part.ends_with(end) || part.strip_suffix(".txt").is_some_and(|p| p.ends_with(end)))
        || part.contains(".tfstate.")
        || part.starts_with('.') && (part.ends_with("_history") || part.contains("password"))
        || keys.iter().any(|key| part.contains(key)) && !part.ends_with(".pub")
        || part.starts_with("ssh_host_") && !part.ends_with(".pub")
        || ["krb5cc", "utc--", "privkey"].iter().any(|begin| part.starts_with(begin))
}

fn is_example(name: &str) -> bool {
    name.split(['.', '-', '_']).any(|word| EXAMPLES.contains(&word))
}

/// The name of what a copy is of.
fn original(name: &str) -> &str {
    let mut name = name.trim_start_matches(['#', '~']).trim_start_matches(".#");
    loop {
        let shorter = COPIES.iter().find_map(|end| name.strip_suffix(end));
        // `.1`, `.20240131`, `.2024-01-31`
        let dated = name.rsplit_once('.').filter(|(_, end)| {
            end.starts_with(|c: char| c.is_ascii_digit())
                && end.chars().all(|c| c.is_ascii_digit() || "-_t".contains(c))
        });
        match shorter.or(dated.map(|(before, _)| before)) {
            Some(before) if !before.is_empty() => name = before,
            _ => return name,
        }
    }
}

/// Whether a pattern for names with a dot at their front could stand for one that credentials go by.
pub(crate) fn meets_secret(path: &str) -> bool {
    const DOTTED: [&str; 6] = [".env", ".envrc", ".netrc", ".npmrc", ".pypirc", ".meliora"];
    path.split('/').any(|part| {
        part.starts_with(['.', '[', '?'])
            && DOTTED.iter().any(|name| part != *name && super::paths::could_be(part, name))
    })
}

/// What a program that reads all below a folder would come upon.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing that may hold secrets.
    Nothing,
    /// This file.
    Secret(String),
    /// There is more than is looked through.
    TooMuch,
}

/// What is below `folder` (or at it) that may hold secrets and whose path from it is `wanted`.
pub(crate) fn below(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Found {
    let (mut left, mut waiting) = (MOST, vec![PathBuf::new()]);
    while let Some(at) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(folder.join(&at)) else { continue };
        for entry in entries.flatten() {
            left -= 1;
            if left == 0 {
                return Found::TooMuch;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = at.join(&name);
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !PASSED.contains(&name.as_str()) {
                    waiting.push(path);
                }
                continue;
            }
            let text = path.to_string_lossy();
            if holds_secret(&text) && wanted(&text) {
                return Found::Secret(folder.join(&path).to_string_lossy().into_owned());
            }
        }
    }
    Found::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_by_those_of_their_copies() {
        for name in [
            ".env",
            ".ENV",
            "a/.env.production",
            ".env.bak",
            ".env~",
            ".env_old",
            "prod.env",
            "id_dsa",
            ".id_rsa.swp",
            "keys/id_ed25519_work",
            "server.pem.bak",
            "server.key.1",
            "config/secrets.yml",
            "secrets/db.txt",
            "terraform.tfstate",
            "terraform.tfstate.backup",
            "prod.tfvars",
            "client_secret_1.json",
            "db_password.txt",
            "gcp-service-account.json",
            "token.json",
            "CREDENTIALS",
            ".aws/config",
            "credentials.toml.2024-01-31",
            "secrets.tar.gz",
            ".bash_history",
            "etc/shadow-old",
            "my_id_rsa",
            "ssh_host_rsa_key",
            "privkey.asc",
            ".kaggle/kaggle.json",
            "/tmp/krb5cc_0",
            "Login Data",
            "OPENAI_API_KEY",
            "keystore/UTC--2024-01-01T00",
            "keys.txt",
            "sa-key.json",
            "gcp_key.json",
            "deploy_key",
            "github_token",
            "github-token.txt",
            "GITHUB_TOKEN",
            "pass.txt",
            "private.json",
            "prod.env.json",
            "prod.pem.txt",
            "cookies.txt",
            "wallet.dat",
            "vault.yml",
            "recovery-codes.txt",
            "seed_phrase.txt",
            "config/gh/hosts.yml",
            ".envs/.production/.postgres",
            "local.settings.json",
            "app/local_settings.py",
        ] {
            assert!(holds_secret(name), "{name}");
        }
        for name in [
            "src/secrets.py",
            "src/secrets/mod.rs",
            ".env.example",
            "example.env",
            "secrets.example.yml",
            "id_rsa.pub",
            "tokens.rs",
            "tokenizer.json",
            "docs/password-reset.md",
            "feature/password-reset",
            "config/database.yml",
            "keyboard.json",
            "environment.yml",
            "docker/Dockerfile",
            "ssh/readme.txt",
            "package-lock.json",
            "src/token/lexer.rs",
            "tokens.json",
            "token_list.json",
            "special_tokens_map.json",
            "src/primary_key.rs",
            "feature/api_keys",
            "docs/private-networks.md",
            "hosts.yml",
            "keymap.json",
            "monkey.txt",
            "compass.json",
        ] {
            assert!(!holds_secret(name), "{name}");
        }
    }
}
