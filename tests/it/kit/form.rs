//! Reads the forms of a page as a browser would, so that a test can only send what the page offers.

/// A form with the values it would send untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Where it goes; empty means the page's own address.
    pub(crate) action: String,
    /// `get` or `post`.
    pub(crate) method: String,
    fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    value: String,
    /// Whether it is sent when nobody touches it: an unticked box is not.
    is_sent: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Anything can be typed.
    Text,
    /// One of several with the same name: radio buttons, options, the button that was pressed.
    OneOf,
    /// A box of its own.
    Box,
}

impl Form {
    /// All forms of a page.
    pub(crate) fn all(html: &str) -> Vec<Self> {
        let mut forms: Vec<Self> = Vec::new();
        let mut is_open = false;
        let mut list: Option<(String, usize)> = None;
        for tag in Tags(html) {
            match tag.name.as_str() {
                "form" => {
                    is_open = true;
                    forms.push(Self::opened_by(&tag));
                }
                "/form" => is_open = false,
                "select" => {
                    let so_far = forms.last().map_or(0, |form| form.fields.len());
                    list = tag.value("name").map(|name| (name, so_far));
                }
                "/select" => {
                    if let (Some((_, start)), Some(form)) = (list.take(), forms.last_mut()) {
                        choose_the_first(&mut form.fields[start..]);
                    }
                }
                _ => {
                    let of_other = tag.value("form").is_some();
                    if let (true, false, Some(form)) = (is_open, of_other, forms.last_mut()) {
                        let list = list.as_ref().map(|(name, _)| name);
                        form.fields.extend(Field::offered_by(&tag, list));
                    }
                }
            }
        }
        forms
    }

    /// Fills in one field, chooses one value, or ticks the box with this value; an empty value unticks the boxes
    /// of the name.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let known: Vec<_> = self.fields.iter().map(|field| field.name.clone()).collect();
        let mut named = self.fields.iter_mut().filter(|field| field.name == name).peekable();
        assert!(
            named.peek().is_some(),
            "the form to {:?} has no field {name:?}; it has {known:?}",
            self.action
        );
        let mut is_set = false;
        for field in named {
            match field.kind {
                Kind::Text => {
                    value.clone_into(&mut field.value);
                    is_set = true;
                }
                Kind::OneOf => {
                    field.is_sent = field.value == value;
                    is_set |= field.is_sent;
                }
                Kind::Box if value.is_empty() => (field.is_sent, is_set) = (false, true),
                Kind::Box if field.value == value => (field.is_sent, is_set) = (true, true),
                Kind::Box => {}
            }
        }
        assert!(is_set, "the form to {:?} does not offer {value:?} for {name:?}", self.action);
    }

    /// What it sends.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        let sent = self.fields.iter().filter(|field| field.is_sent);
        sent.map(|field| (field.name.as_str(), field.value.as_str())).collect()
    }

    fn opened_by(tag: &Tag) -> Self {
        Self {
            action: tag.value("action").unwrap_or_default(),
            method: tag.value("method").unwrap_or_else(|| "get".to_owned()).to_ascii_lowercase(),
            fields: Vec::new(),
        }
    }
}

impl Field {
    /// `list` is the name of the open `select`.
    fn offered_by(tag: &Tag, list: Option<&String>) -> Option<Self> {
        if tag.value("disabled").is_some() {
            return None;
        }
        let name = tag.value("name").filter(|name| !name.is_empty());
        let value = tag.value("value");
        match (tag.name.as_str(), list) {
            ("input", _) => {
                let kind = match tag.value("type").as_deref() {
                    Some("checkbox") => Kind::Box,
                    Some("radio" | "submit") => Kind::OneOf,
                    _ => Kind::Text,
                };
                let is_sent = kind == Kind::Text || tag.value("checked").is_some();
                let value = value.unwrap_or_else(|| if kind == Kind::Text { "" } else { "on" }.to_owned());
                Some(Self { name: name?, value, is_sent, kind })
            }
            ("textarea", _) => {
                let value = tag.text.strip_prefix('\n').unwrap_or(&tag.text).to_owned();
                Some(Self { name: name?, value, is_sent: true, kind: Kind::Text })
            }
            // A button is sent only when it is the one that was pressed.
            ("button", _) => Some(Self { name: name?, value: value?, is_sent: false, kind: Kind::OneOf }),
            ("option", Some(list)) => {
                let is_sent = tag.value("selected").is_some();
                let value = value.unwrap_or_else(|| tag.text.trim().to_owned());
                Some(Self { name: list.clone(), value, is_sent, kind: Kind::OneOf })
            }
            _ => None,
        }
    }
}

/// A list in which nothing is selected sends its first option.
fn choose_the_first(options: &mut [Field]) {
    if !options.iter().any(|option| option.is_sent)
        && let Some(first) = options.first_mut()
    {
        first.is_sent = true;
    }
}

/// Turns the entities that our templates write back into characters.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').filter(|end| *end < 10);
        let Some((character, end)) = end.and_then(|end| Some((entity(&rest[1..end])?, end))) else {
            plain.push('&');
            rest = &rest[1..];
            continue;
        };
        plain.push(character);
        rest = &rest[end + 1..];
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => digits.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// One tag, its attributes, and the text up to the next tag.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

impl Tag {
    fn value(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// The tags of well-formed HTML, in order.
struct Tags<'a>(&'a str);

impl Iterator for Tags<'_> {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        let html = &self.0[self.0.find('<')? + 1..];
        if let Some(comment) = html.strip_prefix("!--") {
            self.0 = comment.split_once("-->")?.1;
            return self.next();
        }
        let end = html.find(|c: char| c.is_whitespace() || c == '>')?;
        let name = html[..end].to_ascii_lowercase();
        let (attributes, rest) = attributes(&html[end..])?;
        let text = unescape(rest.split('<').next()?);
        self.0 = rest;
        Some(Tag { name, attributes, text })
    }
}

/// The attributes up to the closing bracket, and what follows it.
fn attributes(html: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut found = Vec::new();
    let mut rest = html;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some((found, after));
        }
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))?;
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (start, end) = match quote {
                Some(quote) => (1, 1 + after[1..].find(quote)?),
                None => (0, after.find(|c: char| c.is_whitespace() || c == '>')?),
            };
            value = &after[start..end];
            rest = &after[end + start..];
        }
        found.push((name, unescape(value)));
    }
}
