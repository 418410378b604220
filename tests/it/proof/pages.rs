//! Every page in a real browser: both themes, wide and narrow, with and without script, and what it weighs.

use std::{collections::BTreeSet, io::Write};

use flate2::{Compression, write::GzEncoder};
use http::{Method, StatusCode, header};
use portreeve::web::kit::routes::Access;
use serde_json::{Value, json};

use crate::{
    kit::{
        app::TestApp,
        browser::{Browser, Scheme},
        http::{Page, Visitor},
    },
    proof::world::{World, routes, world},
};

/// Bytes after gzip.
const HTML_BUDGET: usize = 15_000;
const FIRST_PAGE_BUDGET: usize = 100_000;
/// Both fonts, which the style sheet asks for.
const FONTS_BUDGET: usize = 33_000;
/// The sprite of icons and the mark.
const IMAGES_BUDGET: usize = 4_000;

/// Who opens the pages of a kind of access.
const fn walker(access: Access) -> &'static str {
    match access {
        Access::Anyone => "nobody",
        Access::Person => "member",
        Access::Operator => "operator",
        _ => "owner",
    }
}

/// The pages that a walker opens, as they are answered; what is no page of its own is left out.
async fn pages(world: &World, app: &TestApp, who: &str) -> Vec<Page> {
    let mut pages = Vec::new();
    let is_console = |path: &str| !path.starts_with("/api/");
    for route in routes() {
        if route.method != Method::GET || !is_console(&route.path) || walker(route.access) != who {
            continue;
        }
        let page = world.browser(app, who).get(&World::path(&route, &world.here)).await;
        // Made-up links and unseeded things are answered with a refusal, which is a page of its own kind.
        assert!(!page.status.is_server_error(), "{} answers {} to {who}", route.path, page.status);
        let is_whole = page.body.trim_start().to_ascii_lowercase().starts_with("<!doctype html");
        if page.status == StatusCode::OK && is_whole {
            pages.push(page);
        }
    }
    pages
}

async fn browser_of(world: &World, app: &TestApp, who: &str) -> Option<Browser> {
    let browser = Browser::open().await?;
    if let Some(cookie) = world.browser(app, who).cookie("portreeve_session") {
        let cookie = json!({"name": "portreeve_session", "value": cookie, "url": app.origin()});
        browser.cdp("Network.setCookie", cookie).await;
    }
    Some(browser)
}

/// What is wrong with the pages of one walker, one line for each fault.
async fn look(who: &str) -> Vec<String> {
    let world = world().await;
    let app = world.copy().await;
    let Some(browser) = browser_of(world, &app, who).await else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for page in pages(world, &app, who).await {
        let url = format!("{}{}", app.origin(), page.path);
        browser.goto(&url).await;
        let mut found: Vec<String> = Vec::new();
        for (scheme, width) in
            [(Scheme::Light, 1440), (Scheme::Dark, 1440), (Scheme::Dark, 390), (Scheme::Light, 390)]
        {
            browser.resize(width, 900).await;
            browser.prefer(scheme).await;
            let violations = browser.axe().await.into_iter();
            found.extend(violations.map(|v| format!("{scheme:?} {width}: {} at {:?}", v.rule, v.places)));
            found.extend(overflow(&browser).await);
        }
        browser.resize(320, 900).await;
        found.extend(overflow(&browser).await);
        let log = browser.console().await.into_iter().filter(|(level, _)| level == "SEVERE");
        found.extend(log.map(|(_, text)| format!("the console says {text}")));
        found.dedup();
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", page.path)));
    }
    browser.finish().await;
    faults
}

/// Says which element makes the page wider than the window.
async fn overflow(browser: &Browser) -> Option<String> {
    let script = "const root = document.documentElement;
        if (root.scrollWidth <= root.clientWidth) return null;
        const wide = [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > root.clientWidth);
        return `${root.clientWidth}: scrolls sideways, ` + (wide[0] ?? root).outerHTML.slice(0, 120)";
    browser.eval(script).await.as_str().map(str::to_owned)
}

/// What only script could bring to life, in a browser without it.
const DEAD: &str = "const seen = e => e.checkVisibility({visibilityProperty: true}), dead = [];
    if (!document.querySelector('main h1')?.innerText.trim()) dead.push('no heading');
    for (const b of document.querySelectorAll('button')) {
        const acts = (b.type !== 'button' && b.form) || b.hasAttribute('popovertarget') || b.hasAttribute('commandfor');
        if (seen(b) && !acts) dead.push(b.outerHTML.slice(0, 160));
    }
    for (const a of document.querySelectorAll('a')) {
        if (seen(a) && ['', '#', null].includes(a.getAttribute('href'))) dead.push(a.outerHTML.slice(0, 160));
    }
    return dead";

async fn look_without_script(who: &str) -> Vec<String> {
    let world = world().await;
    let app = world.copy().await;
    let Some(browser) = browser_of(world, &app, who).await else {
        return Vec::new();
    };
    browser.without_script().await;
    let mut faults = Vec::new();
    for page in pages(world, &app, who).await {
        browser.goto(&format!("{}{}", app.origin(), page.path)).await;
        let dead = browser.eval(DEAD).await;
        let dead = dead.as_array().into_iter().flatten().filter_map(Value::as_str);
        faults.extend(dead.map(|dead| format!("{} without script: {dead}", page.path)));
    }
    browser.finish().await;
    faults
}

macro_rules! looks {
    ($($name:ident: $who:literal),*) => {$(
        #[tokio::test]
        async fn $name() {
            let faults = look($who).await;
            assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
            let faults = look_without_script($who).await;
            assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        }
    )*};
}

looks! {
    open_pages_are_for_everybody: "nobody",
    a_persons_pages_are_for_everybody: "member",
    pages_of_an_organization_are_for_everybody: "owner",
    an_operators_pages_are_for_everybody: "operator"
}

#[tokio::test]
async fn no_page_weighs_more_than_its_budget() {
    let world = world().await;
    let app = world.copy().await;
    let (mut faults, mut heaviest) = (Vec::new(), 0);
    for who in ["nobody", "member", "owner", "operator"] {
        for page in pages(world, &app, who).await {
            let html = gzip(page.body.as_bytes());
            heaviest = heaviest.max(html);
            if html > HTML_BUDGET {
                faults.push(format!("{} weighs {html}", page.path));
            }
            let first = html + assets(&mut world.browser(&app, who), &page.body).await;
            if first > FIRST_PAGE_BUDGET {
                faults.push(format!("{} weighs {first} at the first visit", page.path));
            }
        }
    }
    assert!(heaviest > 0, "there are pages");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What a page brings along at the first visit, whatever its style sheets ask for included; each kind has its own budget.
async fn assets(visitor: &mut Visitor, html: &str) -> usize {
    let mut links = linked(html);
    let mut done = BTreeSet::new();
    let (mut css, mut js, mut fonts, mut images) = (0, 0, 0, 0);
    while let Some(link) = links.pop_first() {
        if !done.insert(link.clone()) {
            continue;
        }
        let answer = visitor.get(&link).await.expect(StatusCode::OK);
        let kind = answer.headers[header::CONTENT_TYPE].to_str().unwrap();
        match kind.split(';').next().unwrap_or_default() {
            "text/css" => {
                css += gzip(answer.body.as_bytes());
                links.extend(linked(&answer.body));
            }
            "text/javascript" => js += gzip(answer.body.as_bytes()),
            "image/svg+xml" => images += gzip(answer.body.as_bytes()),
            // A font is compressed already; decoded as text its length would be another.
            "font/woff2" => {
                fonts += answer.headers[header::CONTENT_LENGTH].to_str().unwrap().parse::<usize>().unwrap();
            }
            other => panic!("{link} is {other}, which has no budget"),
        }
    }
    assert!(
        css <= 12_000 && js <= 30_000 && fonts <= FONTS_BUDGET && images <= IMAGES_BUDGET,
        "css {css}, js {js}, fonts {fonts}, images {images}"
    );
    css + js + fonts + images
}

/// The files of ours that a page or a style sheet asks for.
fn linked(text: &str) -> BTreeSet<String> {
    let links = text.split(['"', '\'', '(', ')']).filter(|link| link.starts_with("/static/"));
    links.map(|link| link.split('#').next().unwrap_or(link).to_owned()).collect()
}

fn gzip(bytes: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}
