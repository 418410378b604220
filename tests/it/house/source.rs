//! Reads our own source: files, words, and the paths that code names.

use std::{fs, path::Path};

/// One file of the repository.
pub(crate) struct SourceFile {
    /// From the root of the repository, such as `src/io/mail.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
}

/// A word, a text or a mark outside comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word(String),
    /// What a string literal holds, escapes as written.
    Text(String),
    Mark(char),
}

/// A path that a file names, from the root of the crate or of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// `crate`, `super` and `self` resolved away: `["io", "db", "Db"]`, with `is_ours`.
    pub(crate) segments: Vec<String>,
    pub(crate) is_ours: bool,
    /// Written with `super::`.
    pub(crate) is_relative: bool,
    /// Named by `pub use`.
    pub(crate) is_reexport: bool,
    /// The name it is given by `as`.
    pub(crate) alias: Option<String>,
    pub(crate) line: usize,
}

/// The files under `folder` whose names end in one of `endings`.
pub(crate) fn files(folder: &str, endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.retain(|path| endings.iter().any(|ending| path.ends_with(ending)));
    found.sort();
    found
}

/// All Rust files under `folder`.
pub(crate) fn rust(folder: &str) -> Vec<SourceFile> {
    files(folder, &[".rs"]).iter().map(|path| SourceFile::read(path)).collect()
}

/// The text of a file, or nothing where there is none.
pub(crate) fn read(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                collect(&path, found);
            }
        } else if let Ok(path) = path.strip_prefix(root()) {
            found.push(path.to_str().unwrap().to_owned());
        }
    }
}

impl SourceFile {
    fn read(path: &str) -> Self {
        Self::from_text(path, read(path).unwrap_or_else(|| panic!("{path} cannot be read")))
    }

    /// A file as it would be read.
    pub(crate) fn from_text(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), tokens: tokens(&text), text }
    }

    /// Where the file stands: `["domain", "audit", "store"]`; empty for `lib.rs` and `main.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<_> = inner.split('/').map(str::to_owned).collect();
        module.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
        module
    }

    /// Lines without tests: those at the file's end, and files of the crate that hold nothing else.
    pub(crate) fn length(&self) -> usize {
        if self.path.starts_with("src/") && self.module().iter().any(|segment| segment == "tests") {
            return 0;
        }
        let end = self.text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..end].lines().count()
    }

    /// The lines on which these tokens follow each other.
    pub(crate) fn lines_with(&self, sequence: &[&str]) -> Vec<usize> {
        let hits = self.tokens.windows(sequence.len()).filter(|window| {
            window.iter().zip(sequence).all(|(token, wanted)| match &token.kind {
                TokenKind::Word(word) => word == wanted,
                TokenKind::Mark(mark) => wanted.len() == 1 && wanted.starts_with(*mark),
                TokenKind::Text(_) => false,
            })
        });
        hits.map(|window| window[0].line).collect()
    }

    /// Every path of a `use`, and every path in code that begins with `crate`, `super`, `self` or `sqlx`.
    pub(crate) fn paths(&self) -> Vec<NamedPath> {
        let mut reader = Reader { tokens: &self.tokens, found: Vec::new(), is_reexport: false };
        let mut module = self.module();
        let mut braces = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let start = at;
            match &self.tokens[at].kind {
                TokenKind::Mark('{') => {
                    let inline = start >= 2 && reader.word(start - 2) == Some("mod");
                    if let (true, Some(name)) = (inline, start.checked_sub(1).and_then(|at| reader.word(at)))
                    {
                        module.push(name.to_owned());
                    }
                    braces.push(inline);
                }
                TokenKind::Mark('}') if braces.pop() == Some(true) => drop(module.pop()),
                TokenKind::Word(word) if word == "use" => {
                    reader.is_reexport = start > 0
                        && (reader.word(start - 1) == Some("pub") || reader.mark(start - 1) == Some(')'));
                    at = reader.tree(start + 1, &mut Vec::new(), &module);
                    reader.is_reexport = false;
                }
                TokenKind::Word(word)
                    if matches!(word.as_str(), "crate" | "super" | "self" | "sqlx")
                        && reader.is_join(start + 1)
                        && !(start >= 2 && reader.is_join(start - 2)) =>
                {
                    at = reader.tree(start, &mut Vec::new(), &module);
                }
                _ => {}
            }
            at = at.max(start + 1);
        }
        reader.found
    }
}

/// Walks a tree of paths such as `a::{b, c::{self, d as e}, f::*}`.
struct Reader<'a> {
    tokens: &'a [Token],
    found: Vec<NamedPath>,
    is_reexport: bool,
}

impl Reader<'_> {
    fn word(&self, at: usize) -> Option<&str> {
        match &self.tokens.get(at)?.kind {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn mark(&self, at: usize) -> Option<char> {
        match self.tokens.get(at)?.kind {
            TokenKind::Mark(mark) => Some(mark),
            _ => None,
        }
    }

    fn is_join(&self, at: usize) -> bool {
        self.mark(at) == Some(':') && self.mark(at + 1) == Some(':')
    }

    /// Reads one tree and answers where it ends.
    fn tree(&mut self, mut at: usize, path: &mut Vec<String>, module: &[String]) -> usize {
        if self.is_join(at) {
            at += 2;
        }
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        while let Some(word) = self.word(at) {
            path.push(word.to_owned());
            at += 1;
            if !self.is_join(at) {
                break;
            }
            at += 2;
        }
        if self.mark(at) == Some('{') && self.mark(at.wrapping_sub(1)) == Some(':') {
            at += 1;
            while at < self.tokens.len() && self.mark(at) != Some('}') {
                let before = at;
                at = self.tree(at, &mut path.clone(), module);
                at += usize::from(self.mark(at) == Some(','));
                at = at.max(before + 1);
            }
            return at + 1;
        }
        if self.mark(at) == Some('*') {
            path.push("*".to_owned());
            at += 1;
        }
        let mut alias = None;
        if self.word(at) == Some("as") {
            alias = self.word(at + 1).map(str::to_owned);
            at += 2;
        }
        self.keep(path, module, alias, line);
        at
    }

    fn keep(&mut self, path: &[String], module: &[String], alias: Option<String>, line: usize) {
        let Some(first) = path.first() else { return };
        let (mut base, is_ours) = match first.as_str() {
            "crate" | "portreeve" => (Vec::new(), true),
            "self" | "super" => (module.to_vec(), true),
            _ => (vec![first.clone()], false),
        };
        base.truncate(base.len() - usize::from(first == "super").min(base.len()));
        for segment in &path[1..] {
            match segment.as_str() {
                "super" => drop(base.pop()),
                "self" => {}
                other => base.push(other.to_owned()),
            }
        }
        let (is_relative, is_reexport) = (first == "super", self.is_reexport);
        self.found.push(NamedPath { segments: base, is_ours, is_relative, is_reexport, alias, line });
    }
}

/// Splits Rust into tokens; comments and whitespace are gone.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let start = at;
        let kind = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => {
                at = (at..chars.len()).find(|at| chars[*at] == '\n').unwrap_or(chars.len());
                None
            }
            ('/', Some('*')) => {
                at = end_of_comment(&chars, at);
                None
            }
            ('"', _) => Some(text_token(&chars, &mut at)),
            ('\'', _) => {
                at = end_of_tick(&chars, at);
                None
            }
            (c, _) if c.is_alphanumeric() || c == '_' => Some(word_token(&chars, &mut at)),
            (c, _) => {
                at += 1;
                (!c.is_whitespace()).then_some(TokenKind::Mark(c))
            }
        };
        found.extend(kind.map(|kind| Token { kind, line }));
        line += chars[start..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    found
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// A character literal or a lifetime.
fn end_of_tick(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) => {
            (start + 3..chars.len()).find(|at| chars[*at] == '\'').map_or(chars.len(), |at| at + 1)
        }
        (Some(_), Some('\'')) => start + 3,
        _ => start + 1,
    }
}

/// `at` stands on the opening quotation mark and is left behind the closing one.
fn text_token(chars: &[char], at: &mut usize) -> TokenKind {
    let start = *at + 1;
    *at = start;
    while *at < chars.len() && chars[*at] != '"' {
        *at += if chars[*at] == '\\' { 2 } else { 1 };
    }
    let end = (*at).min(chars.len());
    *at += 1;
    TokenKind::Text(chars[start..end].iter().collect())
}

/// A word; or the text that its letters introduce, as in `r#"…"#` and `b"…"`.
fn word_token(chars: &[char], at: &mut usize) -> TokenKind {
    let start = *at;
    while *at < chars.len() && (chars[*at].is_alphanumeric() || chars[*at] == '_') {
        *at += 1;
    }
    let word: String = chars[start..*at].iter().collect();
    match (word.as_str(), chars.get(*at)) {
        ("b" | "c", Some('"')) => text_token(chars, at),
        ("r" | "br" | "cr", Some('"' | '#')) => {
            let hashes = chars[*at..].iter().take_while(|c| **c == '#').count();
            *at += hashes;
            if chars.get(*at) != Some(&'"') {
                return word_token(chars, at);
            }
            let start = *at + 1;
            let closes = |at: &usize| {
                chars[*at] == '"' && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes
            };
            let end = (start..chars.len()).find(closes).unwrap_or(chars.len());
            *at = end + 1 + hashes;
            TokenKind::Text(chars[start..end].iter().collect())
        }
        _ => TokenKind::Word(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        let file = SourceFile::from_text("src/domain/audit/store.rs", text.to_owned());
        file.paths().into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn paths_are_read_out_of_trees_and_out_of_code() {
        let text = r##"
            pub(crate) use crate::{base::{ids::{self, OrgId as Org}, clock::*}, io::db};
            use super::Entry;
            fn f<'a>(x: &'a crate::flow::cx::Cx) -> char { sqlx::query::<A>("use crate::not"); '"' }
            // use crate::neither;
            mod tests { use super::f; fn g() { super::super::h(); r#"crate::nor"#; } }
            fn k() { super::m() } /* crate::a /* b */ crate::c */"##;
        let wanted = [
            "base::ids",
            "base::ids::OrgId",
            "base::clock::*",
            "io::db",
            "domain::audit::Entry",
            "flow::cx::Cx",
            "sqlx::query",
            "domain::audit::store::f",
            "domain::audit::h",
            "domain::audit::m",
        ];
        assert_eq!(named(text), wanted);
    }

    #[test]
    fn words_are_found_with_their_lines_and_texts_are_not_words() {
        let file = SourceFile::from_text("src/x.rs", "a\n\"b::c\"\nb :: c('\\'', b'x');".to_owned());
        assert_eq!(file.lines_with(&["b", ":", ":", "c", "("]), [3]);
        assert_eq!(file.length(), 3);
    }
}
