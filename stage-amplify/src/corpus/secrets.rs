//! Files that look like secrets, by their name or by what they contain. They are not sent to a model unless
//! `--send` names them.
//!
//! The lists are short on purpose. The software of an environment has demo passwords, which tasks need: a file is
//! not a secret because the word `password` is in it. docs/security.md has the lists, and what they withhold of the
//! published benchmark.

use std::path::Path;
use std::sync::LazyLock;

use regex::bytes::Regex;

/// Names without their extension, in lower case.
const STEMS: [&str; 8] =
    ["credential", "credentials", "secret", "secrets", "token", "id_rsa", "id_ecdsa", "id_ed25519"];

/// Beginnings of names, in lower case.
const STARTS: [&str; 6] =
    [".env", "client_secret", "credentials", "service-account", "service_account", "serviceaccount"];

/// Ends of names without their extension, in lower case.
const STEM_ENDS: [&str; 4] = ["_credentials", "-credentials", "_token", "-token"];

/// Extensions, in lower case.
const EXTENSIONS: [&str; 8] = ["jks", "kdbx", "key", "keystore", "p12", "pem", "pfx", "ppk"];

/// Whole names, in lower case.
const NAMES: [&str; 8] =
    [".git-credentials", ".htpasswd", ".my.cnf", ".netrc", ".npmrc", ".pgpass", ".pypirc", "_netrc"];

/// Names of files that show what a file with secrets looks like, and hold none.
const SAMPLES: [&str; 4] = [".example", ".sample", ".template", ".dist"];

/// Which key a file contains, as a predicate, and what it looks like.
const KEYS: [(&str, &str); 12] = [
    ("contains a private key", r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    ("contains a private key", r"PuTTY-User-Key-File-[23]:|AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("contains a key of AWS", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    (
        "contains a key of Google",
        r"\bAIza[0-9A-Za-z_-]{35}|\bGOCSPX-[0-9A-Za-z_-]{28}|\bya29\.[0-9A-Za-z_-]{60}",
    ),
    ("contains a token of GitHub", r"\bgh[pousr]_[0-9A-Za-z]{36}|\bgithub_pat_[0-9A-Za-z_]{40}"),
    ("contains a token of GitLab", r"\bglpat-[0-9A-Za-z_-]{20}"),
    ("contains a token of Slack", r"\bxox[abeoprs]-[0-9A-Za-z-]{20}|hooks\.slack\.com/services/T[0-9A-Z]{8}"),
    ("contains a key of Stripe", r"\b[rs]k_live_[0-9A-Za-z]{24}"),
    ("contains a key of Anthropic", r"\bsk-ant-[0-9A-Za-z_-]{32}"),
    ("contains a key of OpenAI", r"\bsk-(?:proj|svcacct|admin)-[0-9A-Za-z_-]{40}|\bsk-[0-9A-Za-z]{48}"),
    ("contains a token of Hugging Face", r"\bhf_[0-9A-Za-z]{34}\b"),
    ("contains a token of a package registry", r"\bnpm_[0-9A-Za-z]{36}|\bpypi-AgE[0-9A-Za-z_-]{50}"),
];

/// A part of the keys that documentation shows, such as `AKIAIOSFODNN7EXAMPLE`.
const DOCUMENTED: &[u8] = b"EXAMPLE";

static PATTERNS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    KEYS.iter().map(|(why, pattern)| (*why, Regex::new(pattern).expect("the pattern is valid"))).collect()
});

/// Why the file `name`, why beginning is `content`, looks like a secret; `None` if it does not.
pub(super) fn secret(name: &str, content: &[u8]) -> Option<&'static str> {
    if is_secret_name(name) {
        return Some("has a name for secrets");
    }
    PATTERNS.iter().find(|(_, pattern)| contains_key(content, pattern)).map(|(why, _)| *why)
}

fn contains_key(content: &[u8], pattern: &Regex) -> bool {
    pattern
        .find_iter(content)
        .any(|found| !found.as_bytes().windows(DOCUMENTED.len()).any(|part| part == DOCUMENTED))
}

/// Whether a path names a file that is meant for secrets.
fn is_secret_name(path: &str) -> bool {
    let path = path.to_lowercase();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    if SAMPLES.iter().any(|sample| name.contains(sample)) {
        return false;
    }
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    NAMES.contains(&name)
        || STEMS.contains(&stem)
        || EXTENSIONS.contains(&extension)
        || STARTS.iter().any(|start| name.starts_with(start))
        || STEM_ENDS.iter().any(|end| stem.ends_with(end))
        || folder.split('/').any(|folder| folder == "secrets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), KEYS.len());
    }

    #[test]
    fn d3_files_with_secrets_are_known_by_their_names() {
        for name in [
            "config/credentials.json",
            "credentials.prod.yaml",
            "sidefx_credentials.json",
            "scripts/secrets.sh",
            "Secret.yaml",
            "config/server.PEM",
            "tls.key",
            "keys/id_rsa",
            ".env",
            ".env.local",
            ".netrc",
            "client_secret_12.apps.json",
            "service-account.json",
            "config/ecr_token",
            "config/secrets/db.txt",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn d3_ordinary_files_are_not_secrets() {
        for name in [
            "env.json",
            "scripts/setup_env.sh",
            "config/prod.env",
            ".env.example",
            "config/credentials.json.template",
            "data/passwords.md",
            "config/design_tokens.json",
            "scripts/tokenize.py",
            "data/key.csv",
            "tasks/rotate_secrets/task.json",
            "tasks/docker_secrets_migration/setup_task.sh",
            "config/keyboard.conf",
            "data/monkey.txt",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
        for content in [
            "DB_PASSWORD=demo123\nADMIN_TOKEN=changeme\n",
            "export OPENAI_API_KEY=sk-your-key-here\n",
            "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n",
            "-----BEGIN PUBLIC KEY-----\n",
            "grep -q 'PRIVATE KEY' \"$file\"\n",
            "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
            "task-ant-0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(secret("a.txt", content.as_bytes()), None, "{content}");
        }
    }

    #[test]
    fn d3_keys_are_known_by_their_form() {
        let long = "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdefABCDEF";
        for (why, key) in [
            ("contains a private key", "-----BEGIN RSA PRIVATE KEY-----".to_owned()),
            ("contains a private key", "x\n  -----BEGIN PRIVATE KEY-----".to_owned()),
            ("contains a private key", "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned()),
            ("contains a private key", "-----BEGIN PGP PRIVATE KEY BLOCK-----".to_owned()),
            ("contains a key of AWS", "aws_access_key_id = AKIAQ3EGUJ7NA2RTLZ5X".to_owned()),
            ("contains a key of Google", format!("key=AIza{}", &long[..35])),
            ("contains a token of GitHub", format!("\"ghp_{}\"", &long[..36])),
            ("contains a key of Anthropic", format!("sk-ant-api03-{long}")),
            ("contains a key of OpenAI", format!("sk-proj-{long}")),
            ("contains a key of Stripe", format!("sk_live_{}", &long[..24])),
        ] {
            assert_eq!(secret("a.txt", key.as_bytes()), Some(why), "{key}");
        }
    }
}
