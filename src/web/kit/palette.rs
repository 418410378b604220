//! Find or jump: the list that the `/` key opens, and the same list as a page.

use askama::Template;

use crate::web::kit::{rail::RailGroup, shell::Shell};

/// How many hits a list shows at the most.
pub const MOST: usize = 20;

/// One place to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What kind of thing it is, as a heading: "Pages", "Members".
    pub kind: String,
    /// Its name.
    pub label: String,
    /// What tells it from others of that name; may be empty.
    pub hint: String,
    /// Where it is.
    pub href: String,
    /// Its icon in the sprite.
    pub icon: &'static str,
}

/// The list alone, as it is swapped into the palette.
#[derive(Debug, Template)]
#[template(path = "parts/hits.html")]
pub struct Hits {
    /// What was typed.
    pub query: String,
    /// What was found.
    pub hits: Vec<Hit>,
}

/// The list as a page, for those without script.
#[derive(Debug, Template)]
#[template(path = "parts/jump.html")]
pub struct JumpPage {
    /// The frame.
    pub shell: Shell,
    /// What was typed.
    pub query: String,
    /// What was found.
    pub hits: Vec<Hit>,
}

/// The pages of a rail whose name holds the words, in the rail's order.
pub fn pages(rail: &[RailGroup], query: &str) -> Vec<Hit> {
    let wanted = query.trim().to_lowercase();
    rail.iter()
        .flat_map(|group| &group.items)
        .filter(|item| item.label.to_lowercase().contains(&wanted))
        .map(|item| Hit {
            kind: "Pages".to_owned(),
            label: item.label.to_owned(),
            hint: String::new(),
            href: item.href.clone(),
            icon: item.icon,
        })
        .collect()
}

/// The hits under their headings, in the order in which the kinds first appear.
pub fn grouped(hits: &[Hit]) -> Vec<(&str, Vec<&Hit>)> {
    let mut groups: Vec<(&str, Vec<&Hit>)> = Vec::new();
    for hit in hits {
        match groups.iter_mut().find(|(kind, _)| *kind == hit.kind) {
            Some((_, list)) => list.push(hit),
            None => groups.push((&hit.kind, vec![hit])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::kit::rail;

    #[test]
    fn pages_are_found_by_a_part_of_their_name_in_any_case() {
        let rail = rail::account("/me/profile");
        let found = pages(&rail, " PASS ");
        assert_eq!(found.iter().map(|hit| hit.href.as_str()).collect::<Vec<_>>(), ["/me/security"]);
        assert!(pages(&rail, "zebra").is_empty());
    }
}
