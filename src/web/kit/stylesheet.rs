//! What the stylesheet and the templates promise: contrast in both schemes, and nothing that
//! the content policy forbids.

use std::{collections::BTreeMap, fs, path::Path};

use crate::web::kit::assets;

type Color = (f64, f64, f64);

fn channel(hex: &str) -> f64 {
    let value = f64::from(u8::from_str_radix(hex, 16).expect("two hex digits")) / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn color(hex: &str) -> Color {
    let hex = hex.trim().strip_prefix('#').expect("a color in hex");
    (channel(&hex[0..2]), channel(&hex[2..4]), channel(&hex[4..6]))
}

/// WCAG 2.2, relative luminance and contrast ratio.
fn contrast(a: Color, b: Color) -> f64 {
    let luminance = |(r, g, b): Color| 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// The tokens: name to the colors in light and dark.
fn tokens() -> BTreeMap<String, [Color; 2]> {
    let style = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("static/css/tokens.css"));
    let style = style.expect("the tokens are there");
    let pair = |line: &str| {
        let (name, rest) = line.trim().strip_prefix("--")?.split_once(": light-dark(#")?;
        let (light, dark) = rest.strip_suffix(");")?.split_once(", ")?;
        Some((name.to_owned(), [color(&format!("#{light}")), color(dark)]))
    };
    style.lines().filter_map(pair).collect()
}

#[test]
fn every_pair_of_colors_has_the_promised_contrast_in_both_schemes() {
    let tokens = tokens();
    let grounds = ["bg", "surface", "sunken", "hover", "selected"];
    let base = ["bg", "surface", "sunken"];
    let mut promises: Vec<(&str, &str, f64)> = Vec::new();
    for ground in grounds {
        promises.extend([("text", ground, 7.0), ("text-2", ground, 5.5), ("text-3", ground, 4.5)]);
        promises.extend([("accent", ground, 4.5), ("line-2", ground, 3.0)]);
        promises.extend(["allow", "ask", "deny", "rule"].map(|name| (name, ground, 4.5)));
    }
    for ground in base {
        let fills = ["allow-fill", "ask-fill", "deny-fill", "rule-fill", "quiet-fill"];
        promises.extend(fills.map(|name| (name, ground, 3.0)));
    }
    for name in ["allow", "ask", "deny", "rule"] {
        promises.push((
            name,
            ["allow-soft", "ask-soft", "deny-soft", "rule-soft"]
                .into_iter()
                .find(|soft| soft.starts_with(name))
                .expect("each decision has a soft ground"),
            4.5,
        ));
    }
    for soft in ["allow-soft", "ask-soft", "deny-soft", "rule-soft"] {
        promises.extend([("text", soft, 7.0), ("text-2", soft, 5.5), ("accent", soft, 4.5)]);
    }
    promises.extend([("on-ink", "ink", 7.0), ("on-ink", "ink-hover", 7.0)]);
    for (ink, ground, least) in promises {
        for (scheme, name) in ["light", "dark"].into_iter().enumerate() {
            let ratio = contrast(tokens[ink][scheme], tokens[ground][scheme]);
            assert!(ratio >= least, "{ink} on {ground} in {name}: {ratio:.2}, promised {least}");
        }
    }
}

fn templates() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "html") {
                let text = fs::read_to_string(&path).expect("a template in UTF-8");
                found.push((path.display().to_string(), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut found);
    found.retain(|(path, _)| !path.contains("/templates/mail/"));
    found
}

/// Whether the text holds an attribute like `onclick=`.
fn handles_events(text: &str) -> bool {
    text.match_indices(" on").any(|(at, _)| {
        let rest = &text[at + 3..];
        let name = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
        name > 0 && rest[name..].starts_with('=')
    })
}

#[test]
fn no_template_holds_what_the_content_policy_forbids() {
    assert!(handles_events("<a onclick=\"x\">") && !handles_events("go on = 1, on=\"\""));
    let all = templates();
    assert!(all.len() > 15);
    for (path, text) in all {
        for forbidden in [" style=", "<style", "hx-on", "|safe", "| safe", "js:", "javascript:"] {
            assert!(!text.contains(forbidden), "{path} holds {forbidden}");
        }
        assert!(!handles_events(&text), "{path} handles an event in markup");
        let inline = text.split("<script").skip(1).any(|rest| !rest.trim_start().starts_with("src="));
        assert!(!inline, "{path} holds a script");
    }
}

#[test]
fn every_static_file_and_icon_that_a_template_names_exists() {
    let sprite = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("static/icons.svg"));
    let sprite = sprite.expect("the sprite is there");
    for (path, text) in templates() {
        for name in text.split("assets::url(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(assets::exists(name), "{path} names {name}");
        }
        for start in ["ui::icon(\"", "{{ icon(\""] {
            for name in text.split(start).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(sprite.contains(&format!("id=\"{name}\"")), "{path} names the icon {name}");
            }
        }
    }
}
