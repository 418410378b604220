//! Sample pages: what the file of a page ends with, so that one test can render every page without a database.

use askama::Template;
use time::{OffsetDateTime, macros::datetime};

use crate::{
    base::{
        faults::Faults,
        permission::{Permission, Role},
    },
    web::kit::{
        assets,
        form::FormFaults,
        listing::Listing,
        rail,
        shell::{Base, GateCard, OrgCard, PersonCard, Shell},
    },
};

/// The moment at which everything in a sample happened.
pub const AT: OffsetDateTime = datetime!(2026-11-21 14:32:07 UTC);
/// A name as long as names get, for a page that is overfull.
pub const LONG: &str =
    "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh Maximilian Bartholomew the Younger";
/// What may stand where a person typed it, and must not come out as markup.
pub const SHARP: &str = "<b>\"Ines\" & {{ sons }}</b>";

/// The part of it that could be taken for a place left unfilled.
const SHARP_SHOWN: &str = "{{ sons }}";

/// One page, rendered.
pub struct Sample {
    /// Which template, and in which state: "gate: closed".
    pub name: &'static str,
    /// The page.
    pub html: String,
}

/// Renders a page.
pub fn sample(name: &'static str, page: &impl Template) -> Sample {
    Sample { name, html: page.render().unwrap_or_else(|error| panic!("{name}: {error}")) }
}

/// Renders a piece of a page, in the barest page that it can stand in.
pub fn piece(name: &'static str, piece: &impl Template) -> Sample {
    let Sample { html, .. } = sample(name, piece);
    Sample { name, html: format!("<title>x · Portreeve</title><main><h1>x</h1>{html}</main>") }
}

/// The frame around a sample.
pub fn shell(base: Base, title: &str) -> Shell {
    let org = |name: &str, slug: &str, note: &str| OrgCard {
        name: name.into(),
        slug: slug.into(),
        note: note.into(),
    };
    let mut shell = Shell::new(base, title);
    shell.csrf = "c5rf".into();
    shell.request_id = "01JD4V7K3QX8".into();
    if base == Base::Open {
        return shell;
    }
    shell.find = if base == Base::Organization { "/o/acme/jump" } else { "/me/jump" }.into();
    shell.person =
        Some(PersonCard { name: "Mara Lindqvist".into(), role: "Admin".into(), is_operator: true });
    shell.orgs = vec![org("Acme", "acme", "Admin"), org("Lindqvist Consulting", "lindqvist", "Owner")];
    let holds: Vec<Permission> = Permission::ALL.iter().copied().filter(|p| Role::Admin.may(*p)).collect();
    shell.rail = match base {
        Base::Account => rail::account(""),
        Base::Operator => rail::operator(""),
        _ => rail::organization("acme", &holds, ""),
    };
    if base == Base::Organization {
        shell.org = Some(org("Acme", "acme", "portreeve.acme.example"));
        let href = "/o/acme/gate".into();
        let (note, spark) = ("41 calls in the last minute".into(), "0,6 3,10 6,4 177,5".into());
        shell.gate = Some(GateCard { is_open: true, note, spark, href, can_move: true });
    }
    shell
}

/// Faults of a form.
pub fn faults(faults: &[(&'static str, &str)]) -> FormFaults {
    let mut all = Faults::default();
    faults.iter().for_each(|(field, message)| all.add(field, *message));
    all.into()
}

/// A list that goes on in both directions.
pub fn list() -> Listing {
    Listing { first: "?".into(), next: "?cursor=x".into(), ..Listing::default() }
}

/// A list whose address asks for what it cannot do.
pub fn refused_list(field: &'static str) -> Listing {
    Listing {
        faults: faults(&[(field, "There is no such thing. Choose one of: a, b.")]),
        ..Listing::default()
    }
}

/// What is wrong with a page.
pub fn faults_of(page: &Sample) -> Vec<String> {
    let (name, html) = (page.name, &page.html);
    let mut found: Vec<String> = Vec::new();
    let mut must = |is_so: bool, what: &str| {
        if !is_so {
            found.push(format!("{name}: {what}"));
        }
    };
    must(html.matches("<h1").count() == 1, "one h1");
    must(html.matches("<main").count() == 1, "one main part");
    must(html.contains(" · Portreeve</title>") && !html.contains("<title> ·"), "a title");
    must(!html.replace(SHARP_SHOWN, "").contains("{{"), "no place left unfilled");
    must(!html.contains("<b>\"Ines"), "what was typed is escaped");
    must(values(html, "style").is_empty(), "no style=");
    must(!html.split(" on").skip(1).any(is_handler), "no on*=");
    must(!html.contains("/static/missing"), "no static file that does not exist");
    let weight = assets::packed(html.as_bytes());
    // The operations of the API are one page on purpose, and so are its shapes: a reader can search all of either.
    let budget = if name.starts_with("API ") { 30_000 } else { 15_000 };
    must(weight <= budget, &format!("at most {budget} bytes under gzip, not {weight}"));
    let mut ids = values(html, "id");
    ids.sort_unstable();
    for pair in ids.windows(2) {
        must(pair[0] != pair[1], &format!("the id {} once", pair[0]));
    }
    for wanted in ["aria-labelledby", "popovertarget", "commandfor", "for", "aria-describedby"] {
        for id in values(html, wanted).into_iter().flat_map(str::split_whitespace) {
            must(ids.contains(&id), &format!("{wanted} names {id}, which is not there"));
        }
    }
    found
}

/// Values of an attribute in some markup.
fn values<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
    let start = format!(" {attribute}=\"");
    html.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Whether what follows " on" makes it an attribute.
fn is_handler(rest: &str) -> bool {
    let name = rest.bytes().take_while(u8::is_ascii_lowercase).count();
    name > 0 && rest.as_bytes().get(name) == Some(&b'=')
}
