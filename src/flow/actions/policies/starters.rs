//! Documents to begin with.

/// A document to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starter {
    /// Its word in addresses and forms.
    pub word: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The document.
    pub document: &'static str,
}

/// The word of the starter that looks at the tools of the policy's server, where it has one.
pub const FROM_CLASSES: &str = "from-classes";

/// The documents to begin with, the one that fits most first.
pub const STARTERS: [Starter; 4] = [
    Starter {
        word: "read-and-ask",
        name: "Read and ask for writes",
        about: "Reading is allowed. Whatever writes or executes waits until somebody agrees. Tools that destroy or move \
                money are not there.",
        document: r#"{"version":"1","default":"deny","hide":["class:destructive","class:financial"],
            "tools":{"class:read":{},
                "class:write":{"action":"require_approval"},
                "class:execute":{"action":"require_approval"}}}"#,
    },
    Starter {
        word: "read-only",
        name: "Read only",
        about: "Tools that only read are allowed. No other tool is there.",
        document: r#"{"version":"1","default":"deny",
            "hide":["class:write","class:execute","class:destructive","class:financial"],
            "tools":{"class:read":{}}}"#,
    },
    Starter {
        word: "locked",
        name: "Locked",
        about: "Nothing is allowed. Add what may be called, tool by tool.",
        document: r#"{"version":"1","default":"deny"}"#,
    },
    Starter {
        word: FROM_CLASSES,
        name: "From a server’s classes",
        about: "Reading is allowed. Writing and executing are limited per minute, moving money waits until somebody agrees, \
                and what destroys is not there. Of a server that you choose, it also heeds what is known of single tools.",
        document: r#"{"version":"1","default":"deny","hide":["class:destructive"],
            "tools":{"class:read":{},
                "class:write":{"limits":[{"counter":"writes","window":"minute","max":60,"scope":"grant"}]},
                "class:execute":{"limits":[{"counter":"executions","window":"minute","max":20,"scope":"grant"}]},
                "class:financial":{"action":"require_approval"}}}"#,
    },
];

/// The starter of this word.
pub fn starter(word: &str) -> Option<&'static Starter> {
    STARTERS.iter().find(|starter| starter.word == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::{document, suggest::suggest};

    #[test]
    fn every_starter_is_a_document_without_fault() {
        for starter in &STARTERS {
            assert!(document::read(starter.document.as_bytes()).is_ok(), "{}", starter.word);
        }
    }

    #[test]
    fn that_of_the_classes_is_what_is_suggested_without_any_tool() {
        let starter = starter(FROM_CLASSES).expect("a starter");
        let read = document::read(starter.document.as_bytes()).expect("a document");
        assert_eq!(read.canonical(), suggest(&[], &[]).document.canonical());
    }
}
