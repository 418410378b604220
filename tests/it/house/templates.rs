//! Templates hold words and parts: nothing unescaped, no script and no style of their own.

use crate::house::{
    no_faults,
    source::{files, read},
};

const LINES_OF_A_TEMPLATE: usize = 150;

/// Forbidden in every template.
const NEVER: [(&str, &str); 6] = [
    ("|safe", "what is shown is escaped"),
    ("|escape(\"none\")", "what is shown is escaped"),
    ("javascript:", "script stands in static/"),
    ("js:", "htmx would build functions from strings, which the content security policy refuses"),
    ("hx-on", "htmx would build functions from strings, which the content security policy refuses"),
    ("<style", "style stands in static/"),
];

/// Mail programs know no style sheets, so letters alone carry their style with them.
const LETTERS: &str = "templates/mail/";

#[test]
fn templates_are_short_and_carry_no_script_and_no_style() {
    let mut faults = Vec::new();
    for path in files("templates", &[".html", ".txt", ".svg", ".xml"]) {
        let text = read(&path).unwrap_or_default();
        if text.lines().count() > LINES_OF_A_TEMPLATE {
            faults.push(format!("{path}: {} lines", text.lines().count()));
        }
        faults.extend(faults_of(&path, &text));
    }
    no_faults(&faults);
}

#[test]
fn the_rules_notice_what_they_forbid() {
    let bad = [
        "{{ name | safe }}",
        "<a style=\"x\">",
        "<b onclick='x'>",
        "<b\n  title=\"{% if a > b %}it's{% endif %}\"\n  ONLOAD = x>",
        "<div hx-on:click>",
        "<a href=\"javascript:x\">",
        "<script>x</script>",
        "<style>",
    ];
    for text in bad {
        assert_ne!(faults_of("templates/console/x.html", text), Vec::<String>::new(), "{text}");
    }
    let good = [
        "<p class=\"style\">on=off, don't, onto = x</p>",
        "<script src=\"/app.js\" defer></script>",
        "{% if on %}",
    ];
    for text in good {
        assert_eq!(faults_of("templates/console/x.html", text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(faults_of("templates/mail/invite/letter.html", "<td style=\"x\">"), Vec::<String>::new());
}

fn faults_of(path: &str, text: &str) -> Vec<String> {
    let text = text.to_ascii_lowercase();
    let is_letter = path.starts_with(LETTERS);
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let dense: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        let never =
            NEVER.iter().filter(|(word, _)| dense.contains(word) && !(is_letter && *word == "<style"));
        faults.extend(never.map(|(word, why)| format!("{path}:{}: {word}: {why}", number + 1)));
        if line.contains("<script") && !line.contains(" src=") {
            faults.push(format!("{path}:{}: a script without src: script stands in static/", number + 1));
        }
    }
    for (line, name) in attributes(&without_directives(&text)) {
        if (name == "style" && !is_letter) || (name.starts_with("on") && name.len() > 2) {
            faults.push(format!("{path}:{line}: the attribute {name}=: behavior and style stand in static/"));
        }
    }
    faults
}

/// Blanks what askama reads, so that only HTML is left; line breaks stay.
fn without_directives(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, end)) = ["{{", "{%", "{#"]
        .iter()
        .zip(["}}", "%}", "#}"])
        .filter_map(|(open, close)| Some((rest.find(open)?, close)))
        .min()
    {
        html.push_str(&rest[..at]);
        let stop = rest[at..].find(end).map_or(rest.len(), |length| at + length + 2);
        html.extend(rest[at..stop].chars().filter(|c| *c == '\n'));
        rest = &rest[stop..];
    }
    html + rest
}

/// The attributes that are given a value, with their lines.
fn attributes(html: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let (mut is_in_tag, mut quote, mut word, mut line) = (false, None, String::new(), 1);
    for c in html.chars() {
        line += usize::from(c == '\n');
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '<' | '>') => {
                is_in_tag = c == '<';
                word.clear();
            }
            (None, '"' | '\'') if is_in_tag => quote = Some(c),
            (None, '=') if is_in_tag => {
                names.extend(word.split_whitespace().last().map(|name| (line, name.to_owned())));
                word.clear();
            }
            (None, c) => word.push(c),
        }
    }
    names
}
