//! A person at a real Chromium: sees pages, clicks and types with trusted input.

use std::{
    env,
    path::Path,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::{Value, json};

use crate::kit::driver::Session;

/// One test's browser. Every test ends with [`Browser::finish`], which reads the console.
pub(crate) struct Browser {
    session: Session,
    is_finished: bool,
}

/// What the person prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// What axe finds wrong with a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Axe's name of the rule.
    pub(crate) rule: String,
    /// Selectors of the elements at fault.
    pub(crate) places: Vec<String>,
}

const PATIENCE: Duration = Duration::from_secs(10);
const AXE: &str = "const done = arguments[arguments.length - 1];
    axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(
        result => done(result.violations.map(v => [v.id, v.nodes.map(node => node.target.join(' '))])),
        error => done(String(error)))";

impl Browser {
    /// A fresh browser, or `None` where none is installed and neither `CI` nor `BROWSER_TESTS` is set.
    pub(crate) async fn open() -> Option<Self> {
        Some(Self { session: Session::open().await?, is_finished: false })
    }

    /// Opens a page and waits until it has loaded.
    pub(crate) async fn goto(&self, url: &str) {
        self.post("/url", json!({"url": url})).await;
    }

    /// Where we are.
    pub(crate) async fn url(&self) -> String {
        text(&self.get("/url").await)
    }

    /// What the tab says.
    pub(crate) async fn title(&self) -> String {
        text(&self.get("/title").await)
    }

    /// The visible text of the first element that matches, waiting up to five seconds for one.
    pub(crate) async fn text(&self, css: &str) -> String {
        let element = self.find(css).await;
        text(&self.get(&format!("/element/{element}/text")).await)
    }

    /// An attribute as the page has it.
    pub(crate) async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let element = self.find(css).await;
        self.get(&format!("/element/{element}/attribute/{name}")).await.as_str().map(str::to_owned)
    }

    /// Whether an element matches at this moment.
    pub(crate) async fn has(&self, css: &str) -> bool {
        self.eval(&format!("return document.querySelector({}) !== null", json!(css))).await == json!(true)
    }

    /// Clicks where a person would; fails when something lies over the element.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Replaces what a field holds by typing.
    pub(crate) async fn fill(&self, css: &str, words: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/clear"), json!({})).await;
        self.post(&format!("/element/{element}/value"), json!({"text": words})).await;
    }

    /// Presses keys one after the other where the focus is: names such as `Escape`, or single characters.
    pub(crate) async fn press(&self, keys: &[&str]) {
        let strokes: Vec<_> = keys
            .iter()
            .map(|name| key(name))
            .flat_map(|key| {
                [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
            })
            .collect();
        self.post("/actions", json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]})).await;
    }

    /// Runs a function body in the page.
    pub(crate) async fn eval(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []})).await
    }

    /// Waits until an expression is true, across page loads.
    pub(crate) async fn wait_for(&self, expression: &str) {
        let asked = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(25));
        let script = json!({"script": format!("return Boolean({expression})"), "args": []});
        loop {
            ticks.tick().await;
            // A page that is just being left refuses the question.
            let answer = self.session.call(Method::POST, "/execute/sync", Some(script.clone())).await;
            if answer == Ok(json!(true)) {
                return;
            }
            if asked.elapsed() >= PATIENCE {
                let page = self.eval("return location.href + ' says: ' + document.body.innerText").await;
                panic!("still not so: {expression} ({answer:?})\n{}", text(&page));
            }
        }
    }

    /// Waits until an element that matches says this.
    pub(crate) async fn see(&self, css: &str, words: &str) {
        let (css, words) = (json!(css), json!(words));
        self.wait_for(&format!(
            "[...document.querySelectorAll({css})].some(e => e.innerText.includes({words}))"
        ))
        .await;
    }

    /// A PNG of what is visible.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        STANDARD.decode(text(&self.get("/screenshot").await)).unwrap()
    }

    /// Gives the page this much room; unlike a window's, its width may be a phone's.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Sets `prefers-color-scheme`, and that nothing moves: colors in between would be looked at otherwise.
    pub(crate) async fn prefer(&self, scheme: Scheme) {
        let value = if scheme == Scheme::Dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value},
            {"name": "prefers-reduced-motion", "value": "reduce"}]});
        self.cdp("Emulation.setEmulatedMedia", features).await;
    }

    /// From the next page on, the page's own script does not run; [`Browser::eval`] still does.
    pub(crate) async fn without_script(&self) {
        self.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    /// Plugs in a passkey that always finds its person present and verified.
    pub(crate) async fn plug_in_passkey(&self) {
        self.cdp("WebAuthn.enable", json!({})).await;
        let options = json!({"options": {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true,
        }});
        self.cdp("WebAuthn.addVirtualAuthenticator", options).await;
    }

    /// From the next page on, a passkey that a page suggests is neither taken nor declined: the person looks elsewhere, and
    /// the suggestion waits until the page withdraws it. Returns what [`Browser::heed_suggestions`] takes.
    pub(crate) async fn ignore_suggestions(&self) -> String {
        let script = "const get = navigator.credentials.get.bind(navigator.credentials);
            navigator.credentials.get = (options) => options.mediation !== 'conditional' ? get(options)
                : new Promise((_, decline) => options.signal.addEventListener('abort', () => decline(options.signal.reason)));";
        let added = self.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": script})).await;
        text(&added["identifier"])
    }

    /// From the next page on, a suggested passkey is taken.
    pub(crate) async fn heed_suggestions(&self, ignored: &str) {
        self.cdp("Page.removeScriptToEvaluateOnNewDocument", json!({"identifier": ignored})).await;
    }

    /// Asks axe what is wrong with the page as it stands.
    pub(crate) async fn axe(&self) -> Vec<Violation> {
        let file = env::var_os("AXE_PATH").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/node_modules/axe-core/axe.min.js"),
            Into::into,
        );
        let axe = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            panic!("{}: {error}; `npm ci --prefix tests/browser` brings axe", file.display())
        });
        if self.eval("return 'axe' in window").await == json!(false) {
            self.eval(&axe).await;
        }
        let found = self.post("/execute/async", json!({"script": AXE, "args": []})).await;
        let found: Vec<(String, Vec<String>)> =
            serde_json::from_value(found.clone()).unwrap_or_else(|_| panic!("axe: {found}"));
        found.into_iter().map(|(rule, places)| Violation { rule, places }).collect()
    }

    /// A command of the Chrome DevTools protocol.
    pub(crate) async fn cdp(&self, command: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": params})).await
    }

    /// What the console said since it was last read, warnings and worse, as `(level, message)`.
    pub(crate) async fn console(&self) -> Vec<(String, String)> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        let lines = log.as_array().expect("the log is a list").iter();
        lines.map(|line| (text(&line["level"]), text(&line["message"]))).collect()
    }

    /// Fails when the console holds an error: a script that broke, a blocked resource, a violated policy. An
    /// answer of 4xx to a page that was asked for is no error of the page: see [`Browser::finish_refused`].
    pub(crate) async fn finish(self) {
        self.end(|_| true).await;
    }

    /// [`Browser::finish`] where the test had requests refused. When the browser tells of those answers is its own
    /// affair, so they are told apart by their words and not by reading the console in between.
    pub(crate) async fn finish_refused(self) {
        self.end(|message| !message.contains("the server responded with a status of 4")).await;
    }

    async fn end(mut self, is_error: impl Fn(&str) -> bool) {
        self.is_finished = true;
        let mut errors = self.console().await;
        errors.retain(|(level, message)| level == "SEVERE" && is_error(message));
        assert!(errors.is_empty(), "the console says {errors:#?}");
    }

    async fn find(&self, css: &str) -> String {
        let found = self.post("/element", json!({"using": "css selector", "value": css})).await;
        let reference = found.as_object().and_then(|found| found.values().next());
        text(reference.expect("an element is answered as one reference"))
    }

    async fn get(&self, path: &str) -> Value {
        self.session.call(Method::GET, path, None).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.session.call(Method::POST, path, Some(body)).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        assert!(self.is_finished || std::thread::panicking(), "end the test with `browser.finish().await`");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// The code points that WebDriver gives to keys without a character (section 17.4.2).
fn key(name: &str) -> &str {
    match name {
        "Backspace" => "\u{e003}",
        "Tab" => "\u{e004}",
        "Enter" => "\u{e007}",
        "Shift" => "\u{e008}",
        "Control" => "\u{e009}",
        "Escape" => "\u{e00c}",
        "End" => "\u{e010}",
        "Home" => "\u{e011}",
        "ArrowLeft" => "\u{e012}",
        "ArrowUp" => "\u{e013}",
        "ArrowRight" => "\u{e014}",
        "ArrowDown" => "\u{e015}",
        "Delete" => "\u{e017}",
        character => character,
    }
}
