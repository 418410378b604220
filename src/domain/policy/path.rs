//! Where a condition looks: into the arguments, or at what is known of the call.

use std::fmt;

/// How many steps a path may have.
pub(super) const MOST_STEPS: usize = 32;

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// A place in the arguments.
    Args(Vec<PathStep>),
    /// A fact of the call.
    Fact(Field),
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// The member of an object.
    Key(String),
    /// The element of an array.
    At(usize),
    /// Every element of an array.
    Each,
}

/// A fact that is known of every call, or of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The person's id.
    UserId,
    /// The person's address.
    UserEmail,
    /// The person's name.
    UserName,
    /// The person's role in the organization.
    UserRole,
    /// The slugs of the person's teams.
    UserTeams,
    /// The id of the team that the grant is for.
    TeamId,
    /// Its slug.
    TeamSlug,
    /// How the client calls itself.
    ClientName,
    /// Its version.
    ClientVersion,
    /// The grant's id.
    GrantId,
    /// Its label.
    GrantLabel,
    /// Its class ceiling.
    GrantCeiling,
    /// The server's id.
    ServerId,
    /// Its short name.
    ServerSlug,
    /// Its name.
    ServerName,
    /// The tool's name.
    ToolName,
    /// Its class.
    ToolClass,
    /// From where the call came.
    Ip,
    /// When it came.
    Time,
}

impl Field {
    /// Every fact, with the path that leads to it.
    pub const ALL: [(&'static str, Self); 19] = [
        ("user.id", Self::UserId),
        ("user.email", Self::UserEmail),
        ("user.name", Self::UserName),
        ("user.role", Self::UserRole),
        ("user.teams", Self::UserTeams),
        ("team.id", Self::TeamId),
        ("team.slug", Self::TeamSlug),
        ("client.name", Self::ClientName),
        ("client.version", Self::ClientVersion),
        ("grant.id", Self::GrantId),
        ("grant.label", Self::GrantLabel),
        ("grant.class_ceiling", Self::GrantCeiling),
        ("server.id", Self::ServerId),
        ("server.slug", Self::ServerSlug),
        ("server.name", Self::ServerName),
        ("tool.name", Self::ToolName),
        ("tool.class", Self::ToolClass),
        ("ip", Self::Ip),
        ("time", Self::Time),
    ];

    fn path(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(path, _)| path)
    }
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPath {
    /// It begins with nothing that is known.
    #[error("a path begins with args., user., team., client., grant., server., tool., or is ip or time")]
    Root,
    /// There is no such fact.
    #[error("there is no {0}")]
    Field(String),
    /// A part of it is no key, index or `[*]`.
    #[error("a path is made of keys, [0] and [*], with \\. for a dot within a key")]
    Form,
    /// It goes too deep.
    #[error("a path has at most 32 steps")]
    Steps,
}

impl Path {
    /// Reads a path as it is written in a document.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, NotAPath> {
        if let Some(steps) = text.strip_prefix("args.") {
            return parse_steps(steps).map(Self::Args);
        }
        if text.starts_with("args[") {
            return parse_steps(&text["args".len()..]).map(Self::Args);
        }
        if text == "args" {
            return Ok(Self::Args(Vec::new()));
        }
        if let Some((_, field)) = Field::ALL.iter().find(|(path, _)| *path == text) {
            return Ok(Self::Fact(*field));
        }
        let root = text.split('.').next().unwrap_or_default();
        let is_root = |path: &str| path.split('.').next() == Some(root);
        Err(if Field::ALL.iter().any(|(path, _)| is_root(path)) {
            NotAPath::Field(text.chars().take(80).collect())
        } else {
            NotAPath::Root
        })
    }

    /// Whether it may lead to several values.
    pub fn is_plural(&self) -> bool {
        match self {
            Self::Args(steps) => steps.contains(&PathStep::Each),
            Self::Fact(field) => *field == Field::UserTeams,
        }
    }
}

fn parse_steps(text: &str) -> Result<Vec<PathStep>, NotAPath> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        if let Some(index) = rest.strip_prefix('[') {
            let (at, behind) = take_index(index)?;
            steps.push(at.map_or(PathStep::Each, PathStep::At));
            rest = behind;
        } else {
            let (key, behind) = take_key(rest)?;
            steps.push(PathStep::Key(key));
            rest = behind;
        }
        if steps.len() > MOST_STEPS {
            return Err(NotAPath::Steps);
        }
        rest = match rest.strip_prefix('.') {
            Some(next) if !next.is_empty() && !next.starts_with('[') => next,
            Some(_) => return Err(NotAPath::Form),
            None if rest.is_empty() => return Ok(steps),
            None if rest.starts_with('[') => rest,
            None => return Err(NotAPath::Form),
        };
    }
}

/// The index at the beginning, which is none where it is `*`, and what stands behind its bracket.
pub(super) fn take_index(text: &str) -> Result<(Option<usize>, &str), NotAPath> {
    let (index, behind) = text.split_once(']').ok_or(NotAPath::Form)?;
    let at = if index == "*" { None } else { Some(parse_index(index)?) };
    Ok((at, behind))
}

fn parse_index(text: &str) -> Result<usize, NotAPath> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if is_plain { text.parse().map_err(|_| NotAPath::Form) } else { Err(NotAPath::Form) }
}

/// The key at the beginning, and what stands behind it.
pub(super) fn take_key(text: &str) -> Result<(String, &str), NotAPath> {
    let mut key = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some((_, escaped @ ('.' | '[' | ']' | '\\'))) => key.push(escaped),
                _ => return Err(NotAPath::Form),
            },
            '.' | '[' if key.is_empty() => return Err(NotAPath::Form),
            '.' | '[' => return Ok((key, &text[at..])),
            ']' => return Err(NotAPath::Form),
            letter => key.push(letter),
        }
    }
    if key.is_empty() { Err(NotAPath::Form) } else { Ok((key, "")) }
}

/// As it is written in a document.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = match self {
            Self::Fact(field) => return f.write_str(field.path()),
            Self::Args(steps) => steps,
        };
        f.write_str("args")?;
        for step in steps {
            match step {
                PathStep::At(index) => write!(f, "[{index}]")?,
                PathStep::Each => f.write_str("[*]")?,
                PathStep::Key(key) => write_key(key, f)?,
            }
        }
        Ok(())
    }
}

/// A key as a step.
pub(super) fn write_key(key: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(".")?;
    for letter in key.chars() {
        if matches!(letter, '.' | '[' | ']' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{letter}")?;
    }
    Ok(())
}

/// The places in the arguments of a tool that its definition names, at most so many; none where it names none.
pub fn argument_paths(definition: &str, most: usize) -> Vec<String> {
    let definition = serde_json::from_str::<serde_json::Value>(definition).ok();
    let properties =
        definition.as_ref().and_then(|tool| tool.pointer("/inputSchema/properties")?.as_object());
    let path = |key: &String| format!("args.{}", key.replace('\\', "\\\\").replace('.', "\\."));
    properties.into_iter().flat_map(|all| all.keys().take(most).map(path)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(text: &str) -> Vec<PathStep> {
        match Path::parse(text) {
            Ok(Path::Args(steps)) => steps,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn keys_indexes_and_all_elements_are_steps() {
        let key = |key: &str| PathStep::Key(key.to_owned());
        assert_eq!(steps("args.a.b"), [key("a"), key("b")]);
        assert_eq!(steps("args.a\\.b[0].c[*]"), [key("a.b"), PathStep::At(0), key("c"), PathStep::Each]);
        assert_eq!(steps("args[2][*]"), [PathStep::At(2), PathStep::Each]);
        assert_eq!(steps("args"), []);
        assert_eq!(steps("args.ключ.x-y"), [key("ключ"), key("x-y")]);
    }

    #[test]
    fn facts_are_known_by_name() {
        for (path, field) in Field::ALL {
            assert_eq!(Path::parse(path), Ok(Path::Fact(field)));
            assert_eq!(Path::Fact(field).to_string(), path);
        }
        assert_eq!(Path::parse("user.mail"), Err(NotAPath::Field("user.mail".into())));
        assert_eq!(Path::parse("arg.x"), Err(NotAPath::Root));
        assert_eq!(Path::parse(""), Err(NotAPath::Root));
    }

    #[test]
    fn what_leads_nowhere_is_no_path() {
        let deep = format!("args{}", ".a".repeat(33));
        for text in [
            "args.",
            "args..a",
            "args.a.",
            "args.a[",
            "args.a[-1]",
            "args.a[01]",
            "args.a[]",
            "args.a]b",
            "args.a\\x",
            "args.a[0]b",
            "args.a.[0]",
            deep.as_str(),
        ] {
            assert!(matches!(Path::parse(text), Err(NotAPath::Form | NotAPath::Steps)), "{text}");
        }
    }

    #[test]
    fn a_path_has_so_many_steps_and_not_one_more() {
        assert_eq!(steps(&format!("args{}", ".a".repeat(MOST_STEPS))).len(), MOST_STEPS);
        assert_eq!(steps(&format!("args{}", "[0]".repeat(MOST_STEPS))).len(), MOST_STEPS);
        assert_eq!(Path::parse(&format!("args{}", ".a".repeat(MOST_STEPS + 1))), Err(NotAPath::Steps));
    }

    #[test]
    fn it_is_known_which_paths_lead_to_several_values() {
        for (path, is_plural) in [
            ("args.a[*].b", true),
            ("user.teams", true),
            ("args", false),
            ("args.a[0].b", false),
            ("user.role", false),
            ("ip", false),
        ] {
            assert_eq!(Path::parse(path).map(|path| path.is_plural()), Ok(is_plural), "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(keys in prop::collection::vec("[a-z.\\[\\]\\\\é]{1,6}", 1..5)) {
            let path = Path::Args(keys.into_iter().map(PathStep::Key).collect());
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }
    }
}
