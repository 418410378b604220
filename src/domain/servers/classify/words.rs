//! The words that tell what a tool does: data, and how a name is read.

use crate::base::risk::Class;

const READ: [&str; 40] = [
    "analyze",
    "ask",
    "browse",
    "compare",
    "count",
    "describe",
    "diff",
    "download",
    "explain",
    "explore",
    "fetch",
    "find",
    "get",
    "glob",
    "grep",
    "help",
    "inspect",
    "list",
    "lookup",
    "ls",
    "measure",
    "peek",
    "ping",
    "preview",
    "query",
    "read",
    "recall",
    "resolve",
    "retrieve",
    "scan",
    "search",
    "see",
    "show",
    "stat",
    "status",
    "summarize",
    "validate",
    "verify",
    "view",
    "whoami",
];

const WRITE: [&str; 73] = [
    "accept",
    "add",
    "append",
    "approve",
    "archive",
    "assign",
    "book",
    "change",
    "click",
    "close",
    "comment",
    "commit",
    "configure",
    "convert",
    "copy",
    "create",
    "disable",
    "draft",
    "duplicate",
    "edit",
    "email",
    "enable",
    "fill",
    "fork",
    "generate",
    "give",
    "import",
    "insert",
    "invite",
    "label",
    "lock",
    "make",
    "manage",
    "mark",
    "merge",
    "modify",
    "move",
    "navigate",
    "notify",
    "open",
    "order",
    "patch",
    "pause",
    "post",
    "press",
    "provision",
    "publish",
    "push",
    "put",
    "register",
    "remember",
    "rename",
    "reopen",
    "reply",
    "resume",
    "rotate",
    "save",
    "schedule",
    "send",
    "set",
    "share",
    "start",
    "stop",
    "store",
    "submit",
    "subscribe",
    "sync",
    "type",
    "update",
    "upload",
    "upsert",
    "write",
    "unarchive",
];

const EXECUTE: [&str; 24] = [
    "apply",
    "bash",
    "cmd",
    "command",
    "compile",
    "deploy",
    "eval",
    "evaluate",
    "exec",
    "execute",
    "install",
    "invoke",
    "kubectl",
    "launch",
    "powershell",
    "rebuild",
    "redeploy",
    "run",
    "script",
    "shell",
    "spawn",
    "ssh",
    "terminal",
    "trigger",
];

const DESTRUCTIVE: [&str; 26] = [
    "abort",
    "ban",
    "clear",
    "del",
    "delete",
    "destroy",
    "drop",
    "empty",
    "erase",
    "evict",
    "expunge",
    "flush",
    "kill",
    "overwrite",
    "prune",
    "purge",
    "remove",
    "reset",
    "revoke",
    "rm",
    "rollback",
    "terminate",
    "trash",
    "truncate",
    "uninstall",
    "wipe",
];

const FINANCIAL: [&str; 17] = [
    "bid", "buy", "charge", "donate", "invoice", "pay", "payment", "payments", "payout", "purchase",
    "refund", "repay", "sell", "tip", "trade", "transfer", "withdraw",
];

/// Words that join a second verb to a first.
const JOINTS: [&str; 4] = ["and", "or", "then", "n"];

/// Arguments that hold a program.
pub(super) const PROGRAMS: [&str; 19] = [
    "bash",
    "cmd",
    "code",
    "command",
    "command_line",
    "commands",
    "expression",
    "javascript",
    "js",
    "program",
    "python",
    "script",
    "shell",
    "shell_command",
    "source_code",
    "sql",
    "sql_query",
    "statement",
    "statements",
];

/// Arguments that hold a sum.
pub(super) const AMOUNTS: [&str; 7] =
    ["amount", "amount_cents", "amount_minor", "price", "sum", "total", "unit_amount"];
/// Arguments that hold what a sum is counted in.
pub(super) const CURRENCIES: [&str; 3] = ["currency", "currency_code", "currencycode"];

/// Arguments that make a tool reach further than asked.
pub(super) const FORCEFUL: [&str; 8] =
    ["force", "recursive", "cascade", "overwrite", "hard", "force_push", "no_verify", "skip_confirmation"];
/// Those of them that override what would stop it.
pub(super) const OVERRIDES: [&str; 4] = ["force", "overwrite", "hard", "force_push"];

/// Words of names that tell of secrets.
const SECRETS: [&str; 12] = [
    "apikey",
    "credential",
    "credentials",
    "env",
    "key",
    "keys",
    "password",
    "passwords",
    "secret",
    "secrets",
    "token",
    "tokens",
];

/// The class that a tool's name tells, and the sentence that says so; `None` where it tells nothing.
///
/// The first verb leads. One that reads keeps what follows harmless (`get_refund`), unless a second verb is joined
/// to it (`find_and_delete`). Under any other lead the worst word decides (`create_refund`).
pub(super) fn by_name(name: &str) -> Option<(Class, String)> {
    let words = words(name);
    let told: Vec<(usize, Class)> =
        words.iter().enumerate().filter_map(|(i, word)| Some((i, class_of(word)?))).collect();
    let &(lead, class) = told.first()?;
    let is_joined = |i: usize| i > 0 && JOINTS.contains(&words[i - 1].as_str());
    let (i, class) = if class == Class::Read {
        told.iter().copied().filter(|(i, _)| *i == lead || is_joined(*i)).max_by_key(|(_, class)| *class)?
    } else {
        // Of equally bad words the first is told.
        told.iter().copied().rev().max_by_key(|(_, class)| *class)?
    };
    Some((class, format!("Its name says `{}`.", words[i])))
}

/// Whether a name tells of secrets.
pub(super) fn touches_secrets(name: &str) -> bool {
    words(name).iter().any(|word| SECRETS.contains(&word.as_str()))
}

fn class_of(word: &str) -> Option<Class> {
    let tables: [(&[&str], Class); 5] = [
        (&FINANCIAL, Class::Financial),
        (&DESTRUCTIVE, Class::Destructive),
        (&EXECUTE, Class::Execute),
        (&WRITE, Class::Write),
        (&READ, Class::Read),
    ];
    tables.into_iter().find(|(table, _)| table.contains(&word)).map(|(_, class)| class)
}

/// The words of a name in lower case: split at separators, at digits, and where camel case begins a new word.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (i, &c) in chars.iter().enumerate() {
        if !c.is_alphabetic() {
            words.push(std::mem::take(&mut word));
            continue;
        }
        let after_lower = i > 0 && chars[i - 1].is_lowercase();
        let before_lower = chars.get(i + 1).is_some_and(|next| next.is_lowercase());
        let after_upper = i > 0 && chars[i - 1].is_uppercase();
        if c.is_uppercase() && (after_lower || after_upper && before_lower) {
            words.push(std::mem::take(&mut word));
        }
        word.extend(c.to_lowercase());
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_words() {
        for (name, wanted) in [
            ("get_issue", vec!["get", "issue"]),
            ("createPullRequest", vec!["create", "pull", "request"]),
            ("API-post-search", vec!["api", "post", "search"]),
            ("HTTPGet", vec!["http", "get"]),
            ("repos/list.v2", vec!["repos", "list", "v"]),
            ("__x__", vec!["x"]),
        ] {
            assert_eq!(words(name), wanted, "{name}");
        }
    }

    #[test]
    fn every_word_stands_once() {
        let all: Vec<&str> = [&READ[..], &WRITE, &EXECUTE, &DESTRUCTIVE, &FINANCIAL].concat();
        let mut sorted = all.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), all.len());
    }
}
