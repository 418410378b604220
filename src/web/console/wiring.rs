//! Whether everything is in place before agents are rolled out.

use askama::Template;

use crate::{
    base::permission::Permission,
    flow::actions::{
        findings::worst,
        wiring::{self, Lacking, Wired},
    },
    web::{
        console::{
            findings::{FindingRow, look},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            page::{PageResult, page},
            parts::Crumb,
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    Routes::default().page("/o/{org}/wiring", Access::Org(Permission::ConnectionsRead), show)
}

/// The page.
#[derive(Template)]
#[template(path = "console/wiring.html")]
struct WiringPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    servers_href: String,
    ready: usize,
    /// What most people still lack, and how many; empty where nobody lacks anything.
    people: String,
    is_cut: bool,
    servers: Vec<ServerCard>,
    lacks: Vec<LackRow>,
    site: Vec<FindingRow>,
    announcement: String,
}

/// One server.
struct ServerCard {
    slug: String,
    name: String,
    href: String,
    tone: &'static str,
    glyph: &'static str,
    word: &'static str,
    rows: Vec<FindingRow>,
}

/// What some people still have to do.
struct LackRow {
    what: String,
    href: String,
    count: i64,
    /// The first by name, and how many more.
    who: String,
}

impl ServerCard {
    fn of(base: &str, server: Wired) -> Self {
        let (tone, glyph, word) = look(worst(&server.findings));
        Self {
            href: format!("{base}/servers/{}", server.slug),
            slug: server.slug,
            name: server.name,
            tone,
            glyph,
            word: if word == "Fine" { "Ready" } else { word },
            rows: server.findings.into_iter().map(FindingRow::from).collect(),
        }
    }
}

impl From<Lacking> for LackRow {
    fn from(lack: Lacking) -> Self {
        let named = lack.first.join(", ");
        let more = lack.count.saturating_sub(i64::try_from(lack.first.len()).unwrap_or(i64::MAX));
        let who = if more > 0 { format!("{named} and {more} more") } else { named };
        Self { what: lack.what, href: lack.page, count: lack.count, who }
    }
}

fn most(lack: &Lacking) -> String {
    match lack.count {
        1 => format!("one person still lacks {}", lack.what),
        count => format!("{count} people still lack {}", lack.what),
    }
}

async fn show(ask: OrgPage) -> PageResult {
    let wiring = wiring::wiring(&ask.cx).await?;
    let base = format!("/o/{}", ask.cx.org.slug);
    page(&WiringPage {
        shell: shell_of::org(&ask, "Before rolling out").await?,
        crumbs: vec![Crumb::to("Servers", format!("{base}/servers"))],
        servers_href: format!("{base}/servers"),
        ready: wiring.ready(),
        people: wiring.lacks.first().filter(|lack| lack.count > 0).map(most).unwrap_or_default(),
        is_cut: wiring.is_cut,
        servers: wiring.servers.into_iter().map(|server| ServerCard::of(&base, server)).collect(),
        lacks: wiring.lacks.into_iter().map(LackRow::from).collect(),
        site: wiring.site.into_iter().map(FindingRow::from).collect(),
        announcement: wiring.announcement,
    })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::findings::sample_rows,
        kit::{
            samples::{LONG, SHARP, sample, shell},
            shell::Base,
        },
    };

    let page = |text: &str, many: usize| WiringPage {
        shell: shell(Base::Organization, "Before rolling out"),
        crumbs: vec![Crumb::to("Servers", "/o/acme/servers")],
        servers_href: "/o/acme/servers".into(),
        ready: many / 2,
        people: if many > 0 { text.into() } else { String::new() },
        is_cut: many > 4,
        servers: (0..many)
            .map(|n| ServerCard {
                slug: format!("server-{n}"),
                name: text.into(),
                href: "/o/acme/servers/github".into(),
                tone: "deny",
                glyph: "deny",
                word: "Broken",
                rows: sample_rows(text),
            })
            .collect(),
        lacks: (0..many)
            .map(|n| LackRow {
                what: text.into(),
                href: "/me/accounts/acme/connect/github".into(),
                count: if n == 0 { 0 } else { 12 },
                who: text.into(),
            })
            .collect(),
        site: sample_rows(text),
        announcement: text.repeat(many.max(1)),
    };
    vec![
        sample("wiring: nothing", &page("GitHub", 0)),
        sample("wiring", &page("GitHub", 2)),
        sample("wiring: much", &page(LONG, 6)),
        sample("wiring: sharp", &page(SHARP, 1)),
    ]
}
