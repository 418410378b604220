//! Names on the merged endpoint: `{server}__{name}`, at most 60 characters, the same on every replica and every day.
//!
//! A name that is too long, or has characters that clients refuse, is cut, and a digest of all of it stands at the end.

use std::borrow::Cow;

use data_encoding::BASE32_DNSCURVE;

use crate::base::crypto::digest;

/// How long a name may be.
const MAX: usize = 60;
/// Stands between a server and what is its own; no short name of a server has an underscore.
const JOINT: &str = "__";
/// How much of the digest a cut name ends with.
const DIGEST: usize = 8;

/// The name under which something of a server is offered.
pub fn merged(server: &str, own: &str) -> String {
    if is_plain(own) && server.len() + JOINT.len() + own.len() <= MAX {
        return format!("{server}{JOINT}{own}");
    }
    let room = MAX.saturating_sub(server.len() + JOINT.len() + 1 + DIGEST);
    let kept: String = own.chars().take(room).map(|c| if is_usual(c) { c } else { '_' }).collect();
    let digest = BASE32_DNSCURVE.encode(&digest::sha256(own.as_bytes()));
    format!("{server}{JOINT}{kept}_{}", digest.get(..DIGEST).unwrap_or_default())
}

/// The server that a name leads to, and what follows it; that is the own name, unless it was cut.
pub fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once(JOINT).filter(|(server, own)| !server.is_empty() && !own.is_empty())
}

/// The own name behind an offered one: what the name says itself, or the one of these that is cut to it.
pub fn own<'n>(
    server: &str,
    offered: &str,
    is_known: impl Fn(&str) -> bool,
    all: impl Iterator<Item = &'n str>,
) -> Option<Cow<'n, str>> {
    let (_, rest) = split(offered)?;
    if is_known(rest) && merged(server, rest) == offered {
        return Some(Cow::Owned(rest.to_owned()));
    }
    let mut cut = all.filter(|own| may_be_cut(server, own));
    cut.find(|own| merged(server, own) == offered).map(Cow::Borrowed)
}

/// Whether a name ends as a cut one does, so that what it says need not be the own name.
pub fn looks_cut(name: &str) -> bool {
    let tail = name.rsplit_once('_').map_or("", |(_, tail)| tail);
    tail.len() == DIGEST && tail.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn may_be_cut(server: &str, own: &str) -> bool {
    !is_plain(own) || server.len() + JOINT.len() + own.len() > MAX
}

/// What every client takes in a name (MCP, tools, names of tools).
fn is_plain(own: &str) -> bool {
    !own.is_empty() && own.chars().all(is_usual)
}

const fn is_usual(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_name_stands_whole_and_a_long_one_is_cut_with_its_digest() {
        assert_eq!(merged("github", "create_issue"), "github__create_issue");
        let long = "a_tool_with_a_name_that_goes_on_and_on_and_on_and_on_and_on";
        let (cut, other) = (merged("github", long), merged("github", &format!("{long}_and_on")));
        assert_eq!((cut.len(), other.len()), (60, 60));
        assert!(cut.starts_with("github__a_tool_with_a_name_that_goes_on") && looks_cut(&cut), "{cut}");
        assert_ne!(cut, other);
        assert!(merged("github", "größe of/it").starts_with("github__gr__e_of_it_"));
    }

    #[test]
    fn names_are_stable_across_releases() {
        // Agents keep these names in their own settings and prompts.
        let name = merged("files", "read a file that has been opened before by somebody else entirely");
        assert_eq!(name, "files__read_a_file_that_has_been_opened_before_by_s_fpsgbgpw");
    }

    proptest! {
        #[test]
        fn every_name_is_usable_and_leads_back(
            server in "[a-z0-9][a-z0-9-]{0,38}[a-z0-9]",
            names in proptest::collection::btree_set(".{1,80}", 1..6),
        ) {
            for own_name in &names {
                let offered = merged(&server, own_name);
                prop_assert!(offered.len() <= MAX && is_plain(&offered), "{}", offered);
                prop_assert_eq!(split(&offered).map(|(server, _)| server), Some(server.as_str()));
                let all = names.iter().map(String::as_str);
                let found = own(&server, &offered, |name| names.contains(name), all);
                prop_assert_eq!(found.as_deref(), Some(own_name.as_str()));
            }
        }
    }
}
