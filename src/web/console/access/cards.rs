//! A request for access, as pages show it.

use time::OffsetDateTime;

use crate::{
    base::risk::Class,
    domain::access::{AccessRequest, AccessState, Asked},
    flow::actions::access_requests::{Outlook, Prospect, hours_words},
    web::kit::parts::Choice,
};

/// A request.
pub(in crate::web::console) struct Card {
    pub(in crate::web::console) href: String,
    /// What is asked for, in a few words.
    pub(in crate::web::console) what: String,
    /// The tools by name.
    pub(in crate::web::console) tools: Vec<String>,
    /// What is asked for where it is a class.
    pub(in crate::web::console) class: String,
    pub(in crate::web::console) server: String,
    pub(in crate::web::console) person: String,
    pub(in crate::web::console) why: String,
    pub(in crate::web::console) span: String,
    pub(in crate::web::console) tone: &'static str,
    pub(in crate::web::console) glyph: &'static str,
    pub(in crate::web::console) state: &'static str,
    pub(in crate::web::console) is_open: bool,
    pub(in crate::web::console) asked_at: OffsetDateTime,
    pub(in crate::web::console) expires_at: OffsetDateTime,
    pub(in crate::web::console) decided_at: Option<OffsetDateTime>,
    pub(in crate::web::console) decided_by: String,
    pub(in crate::web::console) reason: String,
    /// What was given, in words; empty where nothing was.
    pub(in crate::web::console) given: String,
    /// The id of the grant; empty where there is none.
    pub(in crate::web::console) grant: String,
    /// The page that explains the call that was denied; empty where there is none.
    pub(in crate::web::console) call: String,
    /// The id.
    pub(in crate::web::console) id: String,
}

/// What would become of a tool.
pub(in crate::web::console) struct OutlookLine {
    pub(in crate::web::console) tool: String,
    pub(in crate::web::console) class: &'static str,
    pub(in crate::web::console) tone: &'static str,
    pub(in crate::web::console) glyph: &'static str,
    pub(in crate::web::console) word: &'static str,
    pub(in crate::web::console) note: String,
}

impl Card {
    pub(in crate::web::console) fn of(href: String, request: AccessRequest, now: OffsetDateTime) -> Self {
        let state = request.state_at(now);
        let (tone, glyph, word) = look(state);
        let class = request.asked.class();
        let given = match (request.given_hours, class) {
            (None, _) => String::new(),
            (Some(hours), Some(class)) => format!("{} tools, for {}", class.as_str(), hours_words(hours)),
            (Some(hours), None) => {
                let given = Asked::Tools(request.given_tools);
                format!("{}, for {}", given.words(), hours_words(hours))
            }
        };
        Self {
            href,
            what: request.asked.words(),
            class: class.map(|class| format!("All tools that {}", class.meaning())).unwrap_or_default(),
            tools: request.asked.tools().to_vec(),
            server: request.server_slug,
            person: request.requester_name,
            why: request.why,
            span: hours_words(request.hours),
            tone,
            glyph,
            state: word,
            is_open: state == AccessState::Pending,
            asked_at: request.asked_at,
            expires_at: request.expires_at,
            decided_at: request.decided_at,
            decided_by: request.decided_by_name.unwrap_or_default(),
            reason: request.reason,
            given,
            grant: request.grant.map(|grant| grant.to_string()).unwrap_or_default(),
            call: request.request.map(|request| format!("/c/{request}")).unwrap_or_default(),
            id: request.id.to_string(),
        }
    }

    #[cfg(test)]
    pub(in crate::web::console) fn sample(text: &str, state: AccessState) -> Self {
        use crate::web::kit::samples::AT;
        let (tone, glyph, word) = look(state);
        Self {
            href: "/o/acme/access/x".into(),
            what: text.into(),
            tools: vec![text.into(); 2],
            class: String::new(),
            server: text.into(),
            person: text.into(),
            why: text.into(),
            span: "3 days".into(),
            tone,
            glyph,
            state: word,
            is_open: state == AccessState::Pending,
            asked_at: AT,
            expires_at: AT,
            decided_at: Some(AT),
            decided_by: text.into(),
            reason: text.into(),
            given: text.into(),
            grant: "grt_x".into(),
            call: "/c/x".into(),
            id: "acr_x".into(),
        }
    }
}

const fn look(state: AccessState) -> (&'static str, &'static str, &'static str) {
    match state {
        AccessState::Pending => ("ask", "ask", "Waits"),
        AccessState::Approved => ("allow", "ok", "Given"),
        AccessState::Refused => ("deny", "deny", "Refused"),
        AccessState::Expired => ("quiet", "clock", "Nobody decided in time"),
        AccessState::Withdrawn => ("quiet", "x", "Taken back"),
    }
}

/// Spans to choose from, up to so many hours; the longest is chosen where nobody chose.
pub(in crate::web::console) fn spans(most: i32, chosen: &str) -> Vec<Choice> {
    let usual = [1, 8, 24, 72, 168, 720].into_iter().filter(|hours| *hours < most).chain([most]);
    let chosen = if chosen.is_empty() { most.to_string() } else { chosen.to_owned() };
    Choice::chosen_of(usual.map(|hours| Choice::new(hours.to_string(), hours_words(hours))), &chosen)
}

/// Whether what a tool does cannot be undone.
pub(super) fn is_grave(outlook: &Outlook) -> bool {
    outlook.class.is_some_and(is_grave_class)
}

/// Whether what tools of a class do cannot be undone.
pub(super) const fn is_grave_class(class: Class) -> bool {
    matches!(class, Class::Destructive | Class::Financial)
}

impl From<Outlook> for OutlookLine {
    fn from(outlook: Outlook) -> Self {
        let (tone, glyph, word, note) = match outlook.prospect {
            Prospect::Allowed => ("allow", "ok", "Would be allowed", String::new()),
            Prospect::Asked => {
                ("ask", "ask", "Would be asked about", "each call, by a policy above".to_owned())
            }
            Prospect::ByArguments => {
                ("ask", "ask", "By its arguments", "a policy above looks at them".to_owned())
            }
            Prospect::Denied(layer) => (
                "deny",
                "deny",
                "Stays denied",
                format!("by the policy of the {layer}, whatever is given here"),
            ),
            Prospect::Missing => ("deny", "x", "Not there", "the server has no such tool".to_owned()),
            Prospect::Closed => {
                ("deny", "x", "Cannot be called", "it is switched off, refused or not reviewed".to_owned())
            }
        };
        let class = outlook.class.map_or("", Class::label);
        Self { tool: outlook.tool, class, tone, glyph, word, note }
    }
}

#[cfg(test)]
impl OutlookLine {
    pub(super) fn sample(text: &str, at: usize) -> Self {
        let all =
            [Prospect::Allowed, Prospect::Asked, Prospect::ByArguments, Prospect::Missing, Prospect::Closed];
        Self::from(Outlook { tool: text.into(), class: Some(Class::Write), prospect: all[at % all.len()] })
    }
}
