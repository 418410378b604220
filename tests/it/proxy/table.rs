//! The table of bad requests in `docs/mcp.md`, row by row, in both eras of the protocol.

use std::time::Duration;

use http::{Method, StatusCode};
use portreeve::{
    base::{actor::Principal, permission::Role, risk::Class},
    domain::servers,
    io::net::{
        address::AddressPolicy,
        client::{Egress, EgressSettings},
    },
    protocol::mcp::version::Era,
};
use serde_json::{Value, json};

use crate::{
    kit::{
        app::TestApp,
        fake_server::{Act, Asked, Script, closed_port},
    },
    proxy::{
        bridge::{Shore, opened, with_sessions, without_sessions},
        stage::{Agent, Reply, Stage, tools, usual},
    },
};

const DOCUMENT: &str = include_str!("../../../docs/mcp.md");

/// A row of the table.
#[derive(Debug)]
struct Row {
    request: &'static str,
    modern: Option<Expected>,
    legacy: Option<Expected>,
    text: &'static str,
}

/// A status, and the code of an error; a tool's result where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    status: u16,
    code: Option<i64>,
}

impl Expected {
    fn parse(cell: &str) -> Option<Self> {
        let (status, code) = cell.split_once(", ")?;
        Some(Self { status: status.parse().ok()?, code: code.parse().ok() })
    }
}

fn rows() -> Vec<Row> {
    let begins = DOCUMENT.find("## What a bad request gets").expect("the table has a heading");
    let lines = DOCUMENT[begins..].lines().skip_while(|line| !line.starts_with("|---"));
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells: Vec<&'static str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [request, modern, legacy, text] = cells[..] else { panic!("{line}") };
        Row { request, modern: Expected::parse(modern), legacy: Expected::parse(legacy), text }
    })
    .collect()
}

/// Whether a text has these parts in this order, with anything where `…` stands.
fn is_like(text: &str, pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('…').collect();
    let Some(mut rest) = text.strip_prefix(parts[0]) else { return false };
    for part in &parts[1..] {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    // A link follows what a model reads.
    parts.last() == Some(&"") || rest.is_empty() || rest.trim_start().starts_with("http")
}

#[tokio::test]
async fn each_bad_request_is_answered_as_the_documentation_says() {
    let rows = rows();
    assert!(rows.len() > 40, "{}", rows.len());
    let mut faults = Vec::new();
    for row in &rows {
        for (era, expected) in [(Era::Modern, row.modern), (Era::Legacy, row.legacy)] {
            let Some(expected) = expected else { continue };
            let reply = Asker { era }.ask(row.request).await;
            if !is_as_said(row, expected, &reply) {
                faults.push(format!("{era:?}, {}: {reply:?}", row.request));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn is_as_said(row: &Row, expected: Expected, reply: &Reply) -> bool {
    let Ok(json) = serde_json::from_str::<Value>(&reply.text) else { return false };
    let code = json["error"]["code"].as_i64();
    let text = match code {
        Some(_) => json["error"]["message"].as_str(),
        None => json["result"]["content"][0]["text"].as_str(),
    };
    let challenge = reply.headers.get("www-authenticate").map(|value| value.to_str().unwrap());
    let is_challenged = match challenge {
        Some(said) => said.contains("error=\"invalid_token\"") == (row.request != "without a token"),
        None => true,
    };
    Expected { status: reply.status.as_u16(), code } == expected
        && (code.is_some() || json["result"]["isError"] == true)
        && text.is_some_and(|text| is_like(text, row.text))
        && is_challenged
        && challenge.is_some() == (reply.status == StatusCode::UNAUTHORIZED)
}

/// Makes bad requests in one era.
struct Asker {
    era: Era,
}

impl Asker {
    async fn ask(&self, request: &str) -> Reply {
        match request {
            "the database away" => return self.ask_without_database().await,
            "a server that is slow" => return self.ask_a_slow_server().await,
            "a revision that nobody here speaks, at a server of the other era" => {
                return self.ask_across_in_an_unknown_revision().await;
            }
            _ => {}
        }
        if let Some(reply) = self.ask_a_bad_server(request).await {
            return reply;
        }
        let stage = Stage::with_ceiling(Class::Read).await;
        if let Some(reply) = self.ask_without_right(request, &stage).await {
            return reply;
        }
        if let Some(reply) = self.ask_oddly(request, &stage).await {
            assert!(stage.reached().is_empty(), "{request}");
            return reply;
        }
        let reply = self.ask_for_what_is_not_there(request, &stage).await;
        assert!(stage.reached().is_empty(), "{request}");
        reply.unwrap_or_else(|| panic!("nobody knows how to ask: {request}"))
    }

    /// A request as it should be.
    async fn say(&self, agent: &Agent, method: &str, params: Value) -> Reply {
        let (body, headers) = self.message(method, params);
        agent.post(body.to_string(), &pairs(&headers)).await
    }

    async fn call(&self, agent: &Agent) -> Reply {
        self.say(agent, "tools/call", json!({ "name": "get_issue", "arguments": {} })).await
    }

    fn message(&self, method: &str, mut params: Value) -> (Value, Vec<(String, String)>) {
        let mut headers = vec![("mcp-protocol-version".to_owned(), "2025-11-25".to_owned())];
        if self.era == Era::Modern {
            headers[0].1 = "2026-07-28".to_owned();
            headers.push(("mcp-method".to_owned(), method.to_owned()));
            let name = ["name", "uri", "taskId"].into_iter().find_map(|key| params[key].as_str());
            headers.extend(name.map(|name| ("mcp-name".to_owned(), name.to_owned())));
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": match method.starts_with("tasks/") {
                    true => json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } }),
                    false => json!({}),
                },
                "io.modelcontextprotocol/clientInfo": { "name": "test-agent", "version": "1" },
            });
        }
        (json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }), headers)
    }

    // Whoever may not, or may no longer.

    async fn ask_without_right(&self, request: &str, stage: &Stage) -> Option<Reply> {
        let change = match request {
            "an expired token" => "update grant_tokens set expires_at = '2026-11-21 11:00Z'",
            "a revoked token" => "update grant_tokens set revoked_at = now()",
            "an expired grant" => "update grants set expires_at = '2026-11-21 11:00Z'",
            "a revoked grant" => "update grants set revoked_at = now(), revoked_reason = 'over'",
            "a network that the grant is not bound to" => "update grants set cidrs = '{192.0.2.0/24}'",
            "a client that the grant is not bound to" => "update grants set clients = '{other}'",
            "a suspended grant" => "update grants set suspended_at = now(), suspended_reason = 'lunch'",
            "a person who left or is suspended" => {
                "update memberships set suspended_at = now(), suspended_reason = 'leave'"
            }
            "an organization that the operator suspended" => {
                "update orgs set suspended_at = now(), suspended_reason = 'unpaid'"
            }
            "a server that is switched off" => "update servers set enabled = false",
            "a grant that no policy speaks for" => "update grants set policy_id = null",
            "a tool that a policy hides" => return Some(self.under(stage, r#""hide":["*"]"#).await),
            "a call that a policy denies" => {
                return Some(self.under(stage, r#""tools":{"*":{"action":"deny"}}"#).await);
            }
            "a call beyond a limit" => {
                let none =
                    r#""all_tools":{"limits":[{"counter":"x","window":"day","max":0,"scope":"grant"}]}"#;
                return Some(self.under(stage, none).await);
            }
            "a call that a human is asked about" => {
                return Some(self.under(stage, r#""tools":{"*":{"action":"require_approval"}}"#).await);
            }
            "a tool that has changed since it was reviewed" => {
                "update tools set state = 'changed', fingerprint = sha256('other'::bytea)"
            }
            "the gate closed" => {
                let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
                let script = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
                let close = json!({ "open": false, "reason": "drill" });
                let answer = script.send(Method::PUT, "/api/v1/orgs/acme/gate", &[], Some(close)).await;
                answer.expect(StatusCode::OK);
                return Some(self.call(&stage.agent).await);
            }
            "an account or secret that its person has not added" => {
                let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
                let script = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
                let map = json!([{ "target": "header", "name": "X-Key", "source": "user_secret",
                                   "secret": "own", "template": "{value}" }]);
                let path = "/api/v1/orgs/acme/servers/github/credentials";
                script.send(Method::PUT, path, &[], Some(map)).await.expect(StatusCode::OK);
                return Some(self.call(&stage.agent).await);
            }
            "without a token" => return Some(self.call(&stage.agent.carrying("")).await),
            "a token that is unknown here, or another organization's" => {
                let made_up = format!("prg_{}", "a".repeat(80));
                let unknown = self.call(&stage.agent.carrying(&made_up)).await;
                let other = stage.app.org("other").await;
                let person = stage.app.member(&other, "Olga Other", Role::Member).await.id;
                let (_, foreign) = stage.app.grant(&other, Principal::User(person), Class::Read).await;
                let foreign = self.call(&stage.agent.carrying(&foreign)).await;
                assert_eq!((unknown.status, unknown.text), (foreign.status, foreign.text.clone()));
                return Some(foreign);
            }
            "unknown tokens, more than a network may try" => {
                let stranger = stage.agent.carrying("prg_made-up");
                for _ in 0..60 {
                    assert_eq!(self.call(&stranger).await.status, StatusCode::UNAUTHORIZED);
                }
                let reply = self.call(&stranger).await;
                assert_eq!(reply.headers.get("retry-after").unwrap(), "1");
                return Some(reply);
            }
            _ => return None,
        };
        stage.app.change(change).await;
        stage.app.change("update orgs set epoch = epoch + 1").await;
        let reply = self.call(&stage.agent).await;
        assert!(stage.reached().is_empty(), "{request}");
        Some(reply)
    }

    /// A call under a policy with these rules.
    async fn under(&self, stage: &Stage, rules: &str) -> Reply {
        let document = format!(r#"{{"version":"1","default":"allow",{rules}}}"#);
        let publish = format!(
            "with version as (insert into policy_versions (org_id, policy_id, number, document, author_name, created_at)
                select org_id, id, 2, '{document}', 'Test', now() from policies)
            update policies set live = 2"
        );
        stage.app.change(&publish).await;
        stage.app.change("update orgs set epoch = epoch + 1").await;
        let reply = self.call(&stage.agent).await;
        assert!(stage.reached().is_empty(), "{rules}");
        reply
    }

    // Requests that are none.

    async fn ask_oddly(&self, request: &str, stage: &Stage) -> Option<Reply> {
        let agent = &stage.agent;
        let (body, headers) = self.message("tools/call", json!({ "name": "get_issue", "arguments": {} }));
        let text = body.to_string();
        let post = async |text: String, more: &[(&str, &str)]| {
            agent.post(text, &[&pairs(&headers)[..], more].concat()).await
        };
        Some(match request {
            "a host name that is not ours" => post(text, &[("host", "evil.example.com")]).await,
            "a page of another site" => post(text, &[("origin", "https://evil.example.com")]).await,
            "neither POST, GET nor DELETE" => agent.send(Method::PUT, &[]).await,
            "no `Accept`, or one without JSON and event streams" => {
                for accept in ["", "text/html"] {
                    let headers = [("accept", accept), ("content-type", "application/json")];
                    let reply = agent.send(Method::POST, &headers).await;
                    assert_eq!(reply.status, StatusCode::NOT_ACCEPTABLE, "{accept}");
                }
                agent.send(Method::GET, &[("accept", "image/png")]).await
            }
            "larger than 4 MiB" => post(" ".repeat(5 * 1024 * 1024), &[]).await,
            "another content type" => agent.send(Method::POST, &[("content-type", "text/plain")]).await,
            "malformed JSON, bad UTF-8, or something after the message" => {
                for bad in [text[1..].to_owned(), format!("{text}1"), String::new()] {
                    assert_eq!(post(bad, &[]).await.code(), -32700);
                }
                let latin =
                    text.replace("get_issue", "get_\u{e9}").chars().map(|c| c as u8).collect::<Vec<_>>();
                agent.post(latin, &pairs(&headers)).await
            }
            "a key twice or in two cases, or too many levels" => {
                let nested = format!("{}1{}", "[".repeat(200), "]".repeat(200));
                for bad in ["{\"a\":1,\"a\":1}", &nested] {
                    let bad = text.replace("\"arguments\":{}", &format!("\"arguments\":{bad}"));
                    assert_eq!(post(bad, &[]).await.code(), -32600);
                }
                post(text.replace("\"method\"", "\"Method\":\"x\",\"method\""), &[]).await
            }
            "a batch, or no message of JSON-RPC 2.0" => {
                assert_eq!(post(text.replace("\"2.0\"", "\"1.0\""), &[]).await.code(), -32600);
                post(format!("[{text}]"), &[]).await
            }
            "a request without an id" => post(text.replace("\"id\":7,", ""), &[]).await,
            "no `_meta` that describes the request" => post(text.replace("_meta", "meta"), &[]).await,
            "a header that contradicts the body" => {
                post(text.replace("get_issue", "create_issue"), &[]).await
            }
            "a parameter of another kind" => post(text.replace("\"get_issue\"", "[]"), &[]).await,
            _ => return None,
        })
    }

    // What is not there.

    async fn ask_for_what_is_not_there(&self, request: &str, stage: &Stage) -> Option<Reply> {
        let (agent, base) = (&stage.agent, stage.app.origin());
        let merged = agent.at(&format!("{base}/mcp/acme"));
        Some(match request {
            "a server that is unknown or not in the grant" => {
                self.call(&agent.at(&format!("{base}/mcp/acme/nowhere"))).await
            }
            "a session of somebody else, or made up" => {
                let (body, mut headers) = self.message("ping", json!({}));
                let (_, session) = opened(&merged, json!({})).await;
                headers.push(("mcp-session-id".to_owned(), session));
                let own = merged.post(body.to_string(), &pairs(&headers)).await;
                assert_eq!(own.status, StatusCode::OK, "{}", own.text);
                let principal = Principal::User(stage.person);
                let (_, token) = stage.app.grant(&stage.org, principal, Class::Read).await;
                let foreign = merged.carrying(&token).post(body.to_string(), &pairs(&headers)).await;
                headers.last_mut().unwrap().1 = "made-up".to_owned();
                let made_up = agent.post(body.to_string(), &pairs(&headers)).await;
                assert_eq!((foreign.status, foreign.text), (made_up.status, made_up.text.clone()));
                made_up
            }
            "a task or state of somebody else, or made up" => {
                self.say(agent, "tasks/get", json!({ "taskId": "made-up" })).await
            }
            "a task of a client that did not declare tasks" => {
                let (body, headers) = self.message("tasks/get", json!({ "taskId": "made-up" }));
                let text = body.to_string().replace("io.modelcontextprotocol/tasks", "other");
                agent.post(text, &pairs(&headers)).await
            }
            "a tool that is unknown, new, refused, off or above the ceiling" => {
                for (tool, change) in [("get_issue", "enabled = false"), ("create_issue", "enabled = true")] {
                    stage.app.change(&format!("update tools set {change} where name = '{tool}'")).await;
                    stage.app.change("update orgs set epoch = epoch + 1").await;
                    assert_eq!(self.say(agent, "tools/call", json!({ "name": tool })).await.code(), -32602);
                }
                self.say(agent, "tools/call", json!({ "name": "made_up" })).await
            }
            "a prompt that no server has, at the merged endpoint" => {
                self.say(&merged, "prompts/get", json!({ "name": "nowhere__x" })).await
            }
            "a resource that no server has, at the merged endpoint" => {
                self.say(&merged, "resources/read", json!({ "uri": "nowhere+file:///x" })).await
            }
            "a revision that nobody here speaks, at the merged endpoint" => {
                let (body, mut headers) = self.message("tools/list", json!({}));
                headers[0].1 = self.unknown_revision().to_owned();
                let body = body.to_string().replace("2026-07-28", "2030-01-01");
                supporting(merged.post(body, &pairs(&headers)).await)
            }
            "an answer that nobody waits for, at the merged endpoint" => {
                let (_, headers) = self.message("tools/list", json!({}));
                merged.post(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#, &pairs(&headers)).await
            }
            "a method of the other era, or `tasks/list`" => {
                // What came with the modern era is modern wherever it is said.
                if self.era == Era::Modern {
                    assert_eq!(self.say(agent, "initialize", json!({})).await.code(), -32601);
                }
                self.say(agent, "tasks/list", json!({})).await
            }
            "a method that nobody knows, under a grant for reading only" => {
                self.say(agent, "acme/anything", json!({})).await
            }
            _ => return None,
        })
    }

    /// A date that this era would take for one of its own.
    const fn unknown_revision(&self) -> &'static str {
        match self.era {
            Era::Modern => "2030-01-01",
            Era::Legacy => "1999-01-01",
        }
    }

    async fn ask_across_in_an_unknown_revision(&self) -> Reply {
        let (body, mut headers) = self.message("tools/list", json!({}));
        headers[0].1 = self.unknown_revision().to_owned();
        if self.era == Era::Modern {
            let shore = Shore::of(servers::Era::Legacy, with_sessions(100)).await;
            let body = body.to_string().replace("2026-07-28", "2030-01-01");
            let reply = shore.agent.post(body, &pairs(&headers)).await;
            assert!(shore.asked().is_empty());
            return supporting(reply);
        }
        let shore = Shore::of(servers::Era::Modern, without_sessions).await;
        let (_, session) = opened(&shore.agent, json!({})).await;
        let before = shore.asked().len();
        headers.push(("mcp-session-id".to_owned(), session));
        let stream = [&pairs(&headers)[..], &[("accept", "text/event-stream")][..]].concat();
        for method in [Method::GET, Method::DELETE] {
            supporting(shore.agent.send(method, &stream).await);
        }
        let reply = shore.agent.post(body.to_string(), &pairs(&headers)).await;
        assert_eq!(shore.asked().len(), before);
        supporting(reply)
    }

    // Servers that do not answer as they should.

    async fn ask_a_bad_server(&self, request: &str) -> Option<Reply> {
        let (script, is_list): (fn() -> Script, bool) = match request {
            "a server that refuses connections" => {
                let stage = Stage::with_ceiling(Class::Read).await;
                let port = closed_port().await;
                let gone =
                    stage.app.server_at(&stage.org, "gone", &format!("http://127.0.0.1:{port}/mcp")).await;
                stage.app.accept_tools(&stage.org, gone, &tools()).await;
                let agent = stage.agent.at(&format!("{}/mcp/acme/gone", stage.app.origin()));
                return Some(self.call(&agent).await);
            }
            "an answer of more than 10 MiB, at the merged endpoint" => {
                let large = |asked: &Asked| {
                    let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
                    let content = json!([{ "type": "text", "text": "x".repeat(11 * 1024 * 1024) }]);
                    let result = json!({ "content": content });
                    let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
                    Script::json(&answer.to_string())
                };
                let stage = Stage::over(Class::Read, large).await;
                let merged = stage.agent.at(&format!("{}/mcp/acme", stage.app.origin()));
                let params = json!({ "name": "github__get_issue", "arguments": {} });
                let reply = self.say(&merged, "tools/call", params).await;
                assert_eq!(stage.calls_once(2).await[1].0, "call.failed");
                return Some(reply);
            }
            "a server that breaks off in the middle of a short answer" => {
                let broken = || {
                    let head =
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n";
                    Script::acts([Act::Write(format!("{head}{{\"jsonrpc\":").into_bytes()), Act::Close])
                };
                (broken, false)
            }
            "a server that asks us for another credential" => {
                (|| Script::answer("401 Unauthorized", &[("www-authenticate", "Bearer")], "{}"), false)
            }
            "a server that sends elsewhere" => (|| Script::redirect("http://127.0.0.1:1/"), false),
            "a server that hangs up" => (|| Script::acts([Act::Close]), false),
            "a server whose answer is no message, such as a page or nothing at all" => {
                (|| Script::answer("200 OK", &[("content-type", "text/html")], "<!doctype html>"), false)
            }
            "a list that cannot be read" => {
                (|| Script::json(r#"{"jsonrpc":"2.0","id":7,"result":[]}"#), true)
            }
            "a list that is too large" => {
                let large = || {
                    let text = "x".repeat(11 * 1024 * 1024);
                    let result = json!({ "tools": [], "nextCursor": text });
                    Script::json(&json!({ "jsonrpc": "2.0", "id": 7, "result": result }).to_string())
                };
                (large, true)
            }
            _ => return None,
        };
        let stage = Stage::over(Class::Read, move |_: &Asked| script()).await;
        let reply = match is_list {
            true => self.say(&stage.agent, "tools/list", json!({})).await,
            false => self.call(&stage.agent).await,
        };
        let calls = stage.calls_once(2).await;
        assert_eq!(calls[1].0, "call.failed", "{request}");
        Some(reply)
    }

    async fn ask_a_slow_server(&self) -> Reply {
        let app = TestApp::with(|ports| {
            let policy: &AddressPolicy = ports.egress.policy();
            let hurried = Duration::from_millis(50);
            let settings = EgressSettings { call_within: hurried, ..EgressSettings::new(policy.clone()) };
            ports.egress = Egress::new(settings);
        });
        let stage = Stage::of(app.await, Class::Read, |asked| {
            if String::from_utf8_lossy(&asked.body).contains("tools/call") {
                Script::silence()
            } else {
                usual(asked)
            }
        });
        self.call(&stage.await.agent).await
    }

    async fn ask_without_database(&self) -> Reply {
        let stage = Stage::with_ceiling(Class::Read).await;
        assert_eq!(self.call(&stage.agent).await.words(), "done");
        stage.app.ports.db.close().await;
        self.call(&stage.agent).await
    }
}

/// A refusal that names the revisions that are spoken.
fn supporting(reply: Reply) -> Reply {
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text);
    assert_eq!(reply.json()["error"]["data"]["supported"][0], "2026-07-28");
    reply
}

fn pairs(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
