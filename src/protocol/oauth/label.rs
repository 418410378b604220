//! Whose account it is: the words it is shown with, and the key it is known by.
//!
//! Where these stand is written as in `name|login`, `team_id+user_id`, `answer:workspace_id`. A bar parts alternatives, a
//! plus joins; before a colon stands the source, which is the account's own document where none is named.
//!
//! Invariant: an account is known by the provider's id of it, never by an e-mail address, which can change hands.

use std::str::FromStr;

use crate::protocol::oauth::document::{Document, Facts, Path};

/// What can be known of an account when it connects.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// What the provider answered about the account, one document for each request that was made.
    pub documents: &'a [Document],
    /// What came with the token.
    pub answer: &'a Document,
    /// What the id token says, where there is one.
    pub claims: Option<&'a Document>,
    /// What the callback brought.
    pub callback: &'a Facts,
    /// What the provider was set up with.
    pub variables: &'a Facts,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Account,
    Second,
    Answer,
    Claims,
    Callback,
    Variable,
}

/// Where a word or a key is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(Vec<Vec<Term>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    source: Source,
    path: Path,
}

/// A text is no such expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write paths as in name|login or team_id+user_id")]
pub struct NotAnExpression;

/// Where an account's label is read.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// The provider's id of the account.
    pub id: Expression,
    /// What it is called.
    #[serde(default)]
    pub name: Option<Expression>,
    /// Its address.
    #[serde(default)]
    pub email: Option<Expression>,
    /// The workspace, site or tenant that it belongs to.
    #[serde(default)]
    pub workspace: Option<Expression>,
}

/// Whose account it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The provider's id of the account.
    pub id: String,
    /// What it is called.
    pub name: Option<String>,
    /// Its address.
    pub email: Option<String>,
    /// The workspace, site or tenant that it belongs to.
    pub workspace: Option<String>,
}

impl Labels {
    /// Those of OpenID Connect (Core 1.0, section 5.1).
    pub fn of_openid(is_in_claims: bool) -> Self {
        let expression = |names: &[&str]| {
            let source = if is_in_claims { Source::Claims } else { Source::Account };
            let term = |name: &&str| Some(vec![Term { source, path: name.parse().ok()? }]);
            Expression(names.iter().filter_map(term).collect())
        };
        Self {
            id: expression(&["sub"]),
            name: Some(expression(&["name", "preferred_username"])),
            email: Some(expression(&["email"])),
            workspace: None,
        }
    }

    /// Those that most providers use which follow no standard here.
    pub fn usual() -> Self {
        let either = |text: &str| text.parse::<Expression>().ok();
        Self {
            id: either("sub|id|user_id").unwrap_or(Expression(Vec::new())),
            name: either("name|display_name|preferred_username|username|login"),
            email: either("email"),
            workspace: None,
        }
    }

    /// Whether anything is read from a document that has to be asked for.
    pub fn need_account(&self) -> bool {
        let mut all = [Some(&self.id), self.name.as_ref(), self.email.as_ref(), self.workspace.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(|expression| expression.0.iter().flatten());
        all.any(|term| matches!(term.source, Source::Account | Source::Second))
    }

    /// Reads the label; nothing where the account's id is not there.
    pub fn read(&self, sources: &Sources<'_>) -> Option<Label> {
        let words = |expression: &Option<Expression>| expression.as_ref().and_then(|one| one.words(sources));
        Some(Label {
            id: self.id.key(sources)?,
            name: words(&self.name),
            email: words(&self.email),
            workspace: words(&self.workspace),
        })
    }
}

impl Expression {
    /// The first alternative of which anything is there, its parts with spaces between.
    fn words(&self, sources: &Sources<'_>) -> Option<String> {
        let read = |sum: &Vec<Term>| {
            let parts: Vec<_> = sum.iter().filter_map(|term| term.read(sources)).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        };
        self.0.iter().find_map(read)
    }

    /// The first alternative of which everything is there, its parts with colons between.
    fn key(&self, sources: &Sources<'_>) -> Option<String> {
        let read = |sum: &Vec<Term>| {
            let parts: Option<Vec<_>> = sum.iter().map(|term| term.read(sources)).collect();
            parts.map(|parts| parts.join(":"))
        };
        self.0.iter().find_map(read)
    }
}

impl Term {
    fn read(&self, sources: &Sources<'_>) -> Option<String> {
        let Self { source, path } = self;
        match source {
            Source::Account => sources.documents.first()?.text(path),
            Source::Second => sources.documents.get(1)?.text(path),
            Source::Answer => sources.answer.text(path),
            Source::Claims => sources.claims?.text(path),
            Source::Callback => sources.callback.get(&path.to_string()).cloned(),
            Source::Variable => sources.variables.get(&path.to_string()).cloned(),
        }
    }
}

impl FromStr for Expression {
    type Err = NotAnExpression;

    fn from_str(text: &str) -> Result<Self, NotAnExpression> {
        let sum = |text: &str| text.split('+').map(str::parse).collect::<Result<Vec<Term>, _>>();
        Ok(Self(text.split('|').map(sum).collect::<Result<_, _>>()?))
    }
}

impl FromStr for Term {
    type Err = NotAnExpression;

    fn from_str(text: &str) -> Result<Self, NotAnExpression> {
        let (source, path) = text.split_once(':').unwrap_or(("account", text));
        let source = match source {
            "account" => Source::Account,
            "second" => Source::Second,
            "answer" => Source::Answer,
            "claims" => Source::Claims,
            "callback" => Source::Callback,
            "variable" => Source::Variable,
            _ => return Err(NotAnExpression),
        };
        let path: Path = path.parse().map_err(|_| NotAnExpression)?;
        if path.is_of_secret() { Err(NotAnExpression) } else { Ok(Self { source, path }) }
    }
}

impl<'de> serde::Deserialize<'de> for Expression {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(json: &str) -> Document {
        Document::read(json.as_bytes()).expect("JSON")
    }

    fn read(id: &str, name: &str) -> Option<Label> {
        let documents = [
            document(r#"{"login":"ada","first":"Ada","team_id":"T1","id":42,"email":""}"#),
            document(r#"[{"name":"Acme"}]"#),
        ];
        let facts = Facts::from([("realmId".to_owned(), "9".to_owned())]);
        let sources = Sources {
            documents: &documents,
            answer: &document(r#"{"workspace_id":"W1"}"#),
            claims: Some(&document(r#"{"sub":"s"}"#)),
            callback: &facts,
            variables: &facts,
        };
        let labels = Labels {
            id: id.parse().expect("an expression"),
            name: name.parse().ok(),
            email: "email".parse().ok(),
            workspace: "second:[0].name".parse().ok(),
        };
        labels.read(&sources)
    }

    #[test]
    fn a_label_is_read_from_everything_that_is_known() {
        let label = read("team_id+id", "name|login").expect("a label");
        assert_eq!((label.id.as_str(), label.name.as_deref(), label.email), ("T1:42", Some("ada"), None));
        assert_eq!(label.workspace.as_deref(), Some("Acme"));
        assert_eq!(
            read("callback:realmId+claims:sub", "first+last").map(|l| (l.id, l.name)),
            Some(("9:s".into(), Some("Ada".into())))
        );
        assert_eq!(
            read("answer:workspace_id|id", "nobody").map(|l| (l.id, l.name)),
            Some(("W1".into(), None))
        );
    }

    #[test]
    fn half_a_key_is_none() {
        assert_eq!(read("team_id+user_id", "login"), None);
        assert_eq!(read("team_id+user_id|id", "login").map(|label| label.id), Some("42".to_owned()));
    }

    #[test]
    fn no_label_is_read_from_a_token() {
        for text in ["", "a||b", "a+", "elsewhere:a", "answer:access_token", "answer:a.client_secret"] {
            assert!(text.parse::<Expression>().is_err(), "{text}");
        }
    }

    #[test]
    fn openid_has_its_own() {
        assert!(Labels::of_openid(false).need_account() && !Labels::of_openid(true).need_account());
        let none = Facts::new();
        let claims = document(r#"{"sub":"s1","preferred_username":"ada","email":"a@x.example"}"#);
        let sources = Sources {
            documents: &[],
            answer: &claims,
            claims: Some(&claims),
            callback: &none,
            variables: &none,
        };
        let label = Labels::of_openid(true).read(&sources).expect("a label");
        assert_eq!((label.id.as_str(), label.name.as_deref()), ("s1", Some("ada")));
    }
}
