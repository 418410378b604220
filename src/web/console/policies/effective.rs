//! What an agent or a person may do on a server, tool by tool, after all layers.

use askama::Template;

use crate::{
    base::{page::Page, risk::Class},
    flow::actions::policies::{self, Effective, EffectiveInput, EffectiveTool, Offered},
    web::{
        console::{
            policies::answers::{layer_words, word_of},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing, with_query},
            page::{PageResult, page_with},
            parts::{Choice, Crumb},
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/policies/effective.html")]
struct EffectivePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    base: String,
    grant: String,
    user: String,
    offered: Offered,
    servers: Vec<Choice>,
    decisions: Vec<Choice>,
    classes: Vec<Choice>,
    found: Option<Found>,
    list: Listing,
}

/// What was found.
struct Found {
    /// "Claude Code, for Mara, on GitHub".
    title: String,
    is_enabled: bool,
    policies: Vec<LayerLine>,
    rows: Vec<ToolRow>,
}

/// A policy that has a say.
struct LayerLine {
    layer: &'static str,
    policy: String,
    version: i32,
    href: String,
}

struct ToolRow {
    name: String,
    class: &'static str,
    tone: &'static str,
    glyph: &'static str,
    word: &'static str,
    /// What decided, where a policy did.
    by: Option<LayerLine>,
    rule: String,
    /// Why, where no policy decided.
    why: String,
    exceptions: Vec<ExceptionLine>,
    /// The tool in the simulator; empty where no policy could be tried.
    simulate: String,
}

struct ExceptionLine {
    word: &'static str,
    tone: &'static str,
    glyph: &'static str,
    rule: String,
    by: LayerLine,
}

pub(super) async fn show(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (grant, user, server) = (asked.text("grant"), asked.text("user"), asked.text("server"));
    let (decision_typed, decision) =
        asked.one_of("decision", policies::VERDICTS.map(|verdict| (verdict, verdict)));
    let (class_typed, class) = asked.one_of("class", Class::ALL.map(|class| (class.as_str(), class)));
    let request = asked.page();
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let is_asked = !(grant.is_empty() && user.is_empty() && server.is_empty());
    let input =
        EffectiveInput { grant: text(&grant), user: text(&user), server: server.clone(), decision, class };
    let found = if is_asked {
        match policies::effective(&ask.cx, &input, &request).await {
            Ok(found) => Some(found),
            Err(error) => {
                asked.reject(error)?;
                None
            }
        }
    } else {
        None
    };
    let next = found.as_ref().and_then(|found| found.tools.next.clone());
    let list = asked.listing(next.as_deref());
    let offered = policies::offer(&ask.cx, "").await?;
    let servers = std::iter::once(Choice::new("", "Choose a server"))
        .chain(offered.servers.iter().map(|server| Choice::new(&server.slug, &server.name)));
    // A link may name its server by id.
    let named = offered.servers.iter().find(|one| one.id.to_string() == server);
    let servers = Choice::chosen_of(servers, named.map_or(server.as_str(), |one| one.slug.as_str()));
    let base = format!("/o/{}/policies", ask.cx.org.slug);
    let page = EffectivePage {
        shell: shell_of::org(&ask, "Effective policy").await?.with_faults(!list.faults.is_empty()),
        crumbs: vec![Crumb::to("Policies", &base)],
        found: found.map(|found| Found::of(&base, (&grant, &user), found)),
        base,
        grant,
        user,
        offered,
        servers,
        decisions: filter(
            "Any decision",
            policies::VERDICTS.map(|one| (one, word_of(one).2)),
            &decision_typed,
        ),
        classes: filter("Any risk", Class::ALL.map(|class| (class.as_str(), class.label())), &class_typed),
        list,
    };
    page_with(page.list.status(), &page)
}

fn filter<const N: usize>(any: &str, all: [(&'static str, &'static str); N], typed: &str) -> Vec<Choice> {
    let all = all.into_iter().map(|(value, label)| Choice::new(value, label));
    Choice::chosen_of(std::iter::once(Choice::new("", any)).chain(all), typed)
}

impl Found {
    fn of(base: &str, (grant, user): (&str, &str), found: Effective) -> Self {
        let Page { items, .. } = found.tools;
        let server = found.server.as_str();
        let title = match (found.label.as_str(), found.principal.as_str()) {
            ("", person) => format!("{person} on {}", found.server_name),
            (label, "") => format!("{label} on {}", found.server_name),
            (label, person) => format!("{label}, for {person}, on {}", found.server_name),
        };
        let line = |layer, policy: &crate::flow::decision::InForce| LayerLine {
            layer: layer_words(layer),
            policy: policy.slug.clone(),
            version: policy.number,
            href: format!("{base}/{}", policy.slug),
        };
        // Where no policy decided, that of the lowest layer is the one to try a change with.
        let lowest = found.policies.last().map(|(_, policy)| policy.slug.clone());
        let row = |tool: EffectiveTool| {
            let decided = tool.decided;
            let (tone, glyph, word) = word_of(decided.verdict);
            let by = decided.policy.as_ref().zip(decided.layer).map(|(policy, layer)| line(layer, policy));
            let tried = by.as_ref().map(|by| by.policy.clone()).or_else(|| lowest.clone());
            let call = [("tool", tool.name.as_str()), ("server", server), ("grant", grant), ("user", user)];
            let exceptions = decided.open.iter().map(|one| {
                let (tone, glyph, word) = word_of(one.verdict);
                let rule = one.name.clone().unwrap_or_else(|| one.rule.clone());
                ExceptionLine { word, tone, glyph, rule, by: line(one.layer, &one.policy) }
            });
            ToolRow {
                simulate: tried
                    .map(|policy| with_query(&format!("{base}/{policy}/simulate"), call))
                    .unwrap_or_default(),
                class: tool.class.label(),
                tone,
                glyph,
                word,
                why: if by.is_some() {
                    String::new()
                } else {
                    let found = decided.trace.rows().find_map(|row| row.finding);
                    found.map(|finding| finding.actual.to_string()).unwrap_or_default()
                },
                by,
                rule: decided.rule,
                exceptions: exceptions.collect(),
                name: tool.name,
            }
        };
        Self {
            title,
            is_enabled: found.is_enabled,
            rows: items.into_iter().map(row).collect(),
            policies: found.policies.iter().map(|(layer, policy)| line(*layer, policy)).collect(),
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, list, refused_list, sample, shell},
        shell::Base,
    };

    let line = |text: &str| LayerLine {
        layer: "team",
        policy: text.into(),
        version: 3,
        href: "/o/acme/policies/x".into(),
    };
    let row = |at: usize, text: &str| ToolRow {
        name: text.into(),
        class: "Write",
        tone: "allow",
        glyph: "ok",
        word: "Allow",
        by: (at > 0).then(|| line(text)),
        rule: "/default".into(),
        why: text.into(),
        exceptions: if at.is_multiple_of(2) {
            vec![ExceptionLine {
                word: "Deny",
                tone: "deny",
                glyph: "deny",
                rule: text.into(),
                by: line(text),
            }]
        } else {
            Vec::new()
        },
        simulate: "/o/acme/policies/x/simulate?tool=y".into(),
    };
    let page = |found: Option<Found>, list| EffectivePage {
        shell: shell(Base::Organization, "Effective policy"),
        crumbs: vec![Crumb::to("Policies", "/o/acme/policies")],
        base: "/o/acme/policies".into(),
        grant: String::new(),
        user: SHARP.into(),
        offered: Offered { people: vec![(SHARP.into(), LONG.into())], ..Offered::default() },
        servers: vec![Choice::new("", "Choose a server")],
        decisions: filter("Any decision", policies::VERDICTS.map(|one| (one, word_of(one).2)), ""),
        classes: filter("Any risk", Class::ALL.map(|class| (class.as_str(), class.label())), ""),
        found,
        list,
    };
    let found = |count: usize, text: &str| Found {
        title: text.into(),
        is_enabled: count != 1,
        policies: if count == 0 { Vec::new() } else { vec![line(text), line(text)] },
        rows: (0..count).map(|at| row(at, text)).collect(),
    };
    vec![
        sample("effective: nothing asked", &page(None, Listing::default())),
        sample("effective: no tool", &page(Some(found(0, "x")), Listing::default())),
        sample("effective: one", &page(Some(found(1, SHARP)), Listing::default())),
        sample("effective: many", &page(Some(found(50, LONG)), list())),
        sample("effective: refused", &page(None, refused_list("grant"))),
    ]
}
