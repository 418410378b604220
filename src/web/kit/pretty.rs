//! JSON laid out for people, to the digit: nothing is read and written anew, only space is put in.

/// A JSON text in lines. What is no JSON comes back as something readable all the same.
pub fn pretty(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if in_string {
            out.push(letter);
            (in_string, is_escaped) = (is_escaped || letter != '"', !is_escaped && letter == '\\');
            continue;
        }
        match letter {
            '"' => {
                in_string = true;
                out.push('"');
            }
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(end) = letters.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => out.push(letter),
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth.min(64) {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_digit_stays_and_texts_are_left_alone() {
        let text = r#"{"a":1.0000000000000000001,"b":["x, {y}: \"z\"",{}],"c":[]}"#;
        let wanted = "{\n  \"a\": 1.0000000000000000001,\n  \"b\": [\n    \"x, {y}: \\\"z\\\"\",\n    {}\n  ],\n  \"c\": []\n}";
        assert_eq!(pretty(text), wanted);
        assert_eq!(pretty(wanted), wanted);
    }

    proptest! {
        #[test]
        fn laid_out_it_is_the_same_value(value in "[a-z\"\\\\{}\\[\\]:, ]{0,40}", n: i32) {
            let text = serde_json::json!({ "k": value, "n": [n, { "m": null }] }).to_string();
            let read: serde_json::Value = serde_json::from_str(&pretty(&text)).expect("JSON");
            prop_assert_eq!(read.to_string(), text);
        }
    }
}
