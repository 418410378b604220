//! Filters as people type them: `person:"Mara Lindqvist" action:member. from:7d`, and words to search for.

use crate::{base::faults::Faults, flow::actions::events::EventInput};

/// Every filter as it is typed, and the field it fills.
const KEYS: [(&str, &str); 15] = [
    ("person", "person"),
    ("action", "action"),
    ("target", "target"),
    ("server", "server"),
    ("tool", "tool"),
    ("decision", "decision"),
    ("ip", "ip"),
    ("request", "request"),
    ("from", "from"),
    ("to", "to"),
    ("-person", "not_person"),
    ("-action", "not_action"),
    ("-target", "not_target"),
    ("-decision", "not_decision"),
    ("-ip", "not_ip"),
];
/// How many of them are not negations of others.
const PLAIN: usize = 10;

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The field it fills; `q` for words to search for.
    pub(super) key: &'static str,
    /// What it asks for.
    pub(super) value: String,
}

impl Token {
    /// Its name as it is typed: `-action` for the field `not_action`.
    pub(super) fn name(&self) -> &'static str {
        KEYS.iter().find(|(_, field)| *field == self.key).map_or("text", |(name, _)| name)
    }

    /// As it is typed.
    pub(super) fn text(&self) -> String {
        let is_word = self.key == "q";
        let is_plain = !self.value.contains(|c: char| c.is_whitespace() || c == '"' || (is_word && c == ':'));
        let value =
            if is_plain { self.value.clone() } else { format!("\"{}\"", self.value.replace('"', "")) };
        if is_word { value } else { format!("{}:{value}", self.name()) }
    }
}

/// What was typed and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// As it was typed.
    pub(super) text: String,
    /// What is wrong with it and what would be right.
    pub(super) why: String,
}

/// What was typed, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) good: Vec<Token>,
    pub(super) bad: Vec<Bad>,
}

impl Tokens {
    /// Takes a text apart; of two filters of one name the later counts.
    pub(super) fn parse(text: &str) -> Self {
        let mut tokens = Self::default();
        let mut words: Vec<String> = Vec::new();
        for piece in pieces(text) {
            match piece {
                Piece::Word(word) => words.push(word),
                Piece::Filter { key, value } => match KEYS.into_iter().find(|(name, _)| *name == key) {
                    Some(_) if value.is_empty() => tokens.bad.push(Bad {
                        text: format!("{key}:"),
                        why: format!("{key}: needs a value right behind the colon."),
                    }),
                    Some((_, key)) => tokens.set(Token { key, value }),
                    None => tokens.bad.push(Bad {
                        why: format!(
                            "There is no filter {key}:. Use {}, with - before the name to leave out what matches; or put \
                             the text in quotes to search for it.",
                            KEYS[..PLAIN].iter().map(|(name, _)| format!("{name}:")).collect::<Vec<_>>().join(", ")
                        ),
                        text: if value.is_empty() { format!("{key}:") } else { format!("{key}:{value}") },
                    }),
                },
            }
        }
        if !words.is_empty() {
            tokens.set(Token { key: "q", value: words.join(" ") });
        }
        tokens
    }

    /// Sets a filter instead of the one of that name.
    pub(super) fn set(&mut self, token: Token) {
        self.good.retain(|other| other.key != token.key);
        self.good.push(token);
    }

    /// As they are typed, without those of one name.
    pub(super) fn text_without(&self, key: &str) -> String {
        self.good.iter().filter(|token| token.key != key).map(Token::text).collect::<Vec<_>>().join(" ")
    }

    /// For the flow.
    pub(super) fn input(&self, kind: Option<&str>) -> EventInput {
        let mut input = EventInput { kind: kind.map(str::to_owned), ..EventInput::default() };
        for token in &self.good {
            if let Some(field) = input.field(token.key) {
                *field = Some(token.value.clone());
            }
        }
        input
    }

    /// Moves the filters that the flow could not read to the bad ones.
    pub(super) fn reject(&mut self, faults: &Faults) {
        for fault in faults {
            if let Some(at) = self.good.iter().position(|token| token.key == fault.field) {
                let token = self.good.remove(at);
                let name = if token.key == "q" { "The text" } else { token.name() };
                self.bad.push(Bad { text: token.text(), why: format!("{name} {}.", fault.message) });
            }
        }
    }
}

enum Piece {
    Word(String),
    Filter { key: String, value: String },
}

/// Splits at white space outside quotes. A name and a colon at the start of a piece, outside quotes, make it a filter.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let sign = usize::from(rest.starts_with('-'));
        let name = sign + rest[sign..].bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
        let is_filter = name > sign && rest.as_bytes().get(name) == Some(&b':');
        let key = if is_filter { &rest[..name] } else { "" };
        let (value, tail) = value(&rest[if is_filter { name + 1 } else { 0 }..]);
        if is_filter {
            pieces.push(Piece::Filter { key: key.to_owned(), value });
        } else if !value.is_empty() {
            pieces.push(Piece::Word(value));
        }
        rest = tail.trim_start();
    }
    pieces
}

/// A value up to the next white space outside quotes, without its quotes, and what follows.
fn value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut quoted = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            letter if letter.is_whitespace() && !quoted => return (value, &text[at..]),
            letter => value.push(letter),
        }
    }
    (value.trim().to_owned(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> Vec<(&'static str, String)> {
        Tokens::parse(text).good.into_iter().map(|token| (token.key, token.value)).collect()
    }

    #[test]
    fn filters_and_words_are_taken_apart() {
        let text = "person:\"Mara Lindqvist\"  action:member. platform crew";
        assert_eq!(
            good(text),
            [
                ("person", "Mara Lindqvist".to_owned()),
                ("action", "member.".to_owned()),
                ("q", "platform crew".to_owned())
            ]
        );
        assert_eq!(good("10:30 \"person:x\""), [("q", "10:30 person:x".to_owned())]);
        assert_eq!(good("from:24h from:7d"), [("from", "7d".to_owned())]);
        assert_eq!(good(" \t "), []);
        assert_eq!(good("\"never closed"), [("q", "never closed".to_owned())]);
    }

    #[test]
    fn a_sign_before_the_name_negates() {
        assert_eq!(
            good("-action:team. action:member. -person:\"Mara Lindqvist\" -ip:10.0.0.0/8 - -5"),
            [
                ("not_action", "team.".to_owned()),
                ("action", "member.".to_owned()),
                ("not_person", "Mara Lindqvist".to_owned()),
                ("not_ip", "10.0.0.0/8".to_owned()),
                ("q", "- -5".to_owned())
            ]
        );
        assert_eq!(Tokens::parse("not_action:x -from:7d").bad.len(), 2);
    }

    #[test]
    fn what_is_typed_reads_back() {
        for text in [
            "person:\"Mara Lindqvist\" action:team. 2001",
            "\"a:b c\"",
            "-action:team. -ip:2001:db8::/32",
            "from:2026-11-21T14:30",
        ] {
            let tokens = Tokens::parse(text);
            assert_eq!(Tokens::parse(&tokens.text_without("")), tokens, "{text}");
        }
        assert_eq!(Tokens::parse("action:a person:b").text_without("action"), "person:b");
    }

    #[test]
    fn what_cannot_be_used_is_pointed_at() {
        let bad = Tokens::parse("color:red person: x").bad;
        assert_eq!(bad[0].text, "color:red");
        assert!(bad[0].why.starts_with("There is no filter color:. Use person:, action:"));
        assert_eq!(bad[1].text, "person:");
        let mut tokens = Tokens::parse("decision:maybe x");
        let mut faults = Faults::default();
        faults.add("decision", "is done, refused or failed");
        tokens.reject(&faults);
        assert_eq!(tokens.good.len(), 1);
        assert_eq!(tokens.bad[0].why, "decision is done, refused or failed.");
    }
}
