//! What may be asked for, who may decide, and what may be given.

use time::{Duration, OffsetDateTime};

use crate::{
    base::{faults::Faults, ids::UserId, risk::Class, wording},
    domain::access::{AccessRequest, AccessState, Asked},
};

/// The longest time for which access may be asked, in hours: 30 days.
pub const LONGEST_HOURS: i32 = 30 * 24;
/// How many requests of one person may wait at the same time.
pub const MOST_PENDING: i64 = 10;
/// How long a request may be decided.
pub const PENDING_FOR: Duration = Duration::days(7);
const MOST_TOOLS: usize = 50;
const LONGEST_TOOL: usize = 256;

/// What a person types about a request.
#[derive(Clone, Copy, Debug)]
pub struct AccessForm<'a> {
    /// Names of tools.
    pub tools: &'a [String],
    /// The name of a class; empty for none.
    pub class: &'a str,
    /// Why.
    pub why: &'a str,
    /// For how many hours.
    pub hours: i32,
}

impl AccessForm<'_> {
    /// What is asked for, and why.
    ///
    /// # Errors
    /// Every fault with its field: `tools`, `class`, `why`, `hours`.
    pub fn parse(self) -> Result<(Asked, String), Faults> {
        let mut faults = Faults::default();
        let asked = self.asked(&mut faults);
        let why = faults.check("why", wording::parse_description(self.why));
        if why.as_deref() == Some("") {
            faults.add("why", "say what it is for; whoever decides reads it");
        }
        if !(1..=LONGEST_HOURS).contains(&self.hours) {
            faults.add("hours", format!("choose 1 to {LONGEST_HOURS} hours"));
        }
        match (asked, why) {
            (Some(asked), Some(why)) => faults.into_result((asked, why)),
            _ => Err(faults),
        }
    }

    fn asked(&self, faults: &mut Faults) -> Option<Asked> {
        let mut tools: Vec<String> =
            self.tools.iter().map(|tool| tool.trim().to_owned()).filter(|tool| !tool.is_empty()).collect();
        tools.sort_unstable();
        tools.dedup();
        let class = match self.class.trim() {
            "" => None,
            word => match word.parse::<Class>() {
                Ok(class) => Some(class),
                Err(bad) => {
                    faults.add("class", bad.to_string());
                    return None;
                }
            },
        };
        match (class, tools.is_empty()) {
            (Some(class), true) => Some(Asked::Class(class)),
            (Some(_), false) => {
                faults.add("class", "name tools or choose a class, not both");
                None
            }
            (None, true) => {
                faults.add("tools", "name a tool, or choose a class");
                None
            }
            (None, false) => {
                // What a policy would read as a pattern would be more than one tool.
                let is_a_name = |tool: &String| {
                    tool.chars().count() <= LONGEST_TOOL
                        && !tool.chars().any(|c| c.is_control() || c == '*')
                        && !tool.starts_with("class:")
                };
                if tools.len() > MOST_TOOLS || !tools.iter().all(is_a_name) {
                    faults.add(
                        "tools",
                        format!("name at most {MOST_TOOLS} tools, each exactly as it is called"),
                    );
                    return None;
                }
                Some(Asked::Tools(tools))
            }
        }
    }
}

/// Why somebody may not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    /// They asked for it.
    #[error("You asked for this yourself, so somebody else has to decide.")]
    Own,
    /// Somebody else was faster, or it is too late.
    #[error("This was decided already, or its time is over.")]
    Decided,
    /// Whoever asked has left.
    #[error("Whoever asked for this is no longer a member.")]
    Left,
}

impl AccessRefusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Own => "access_own",
            Self::Decided => "access_decided",
            Self::Left => "access_left",
        }
    }
}

/// Whether somebody who may give access may decide about this request. Nobody decides about their own, but for the only one
/// who could decide at all.
///
/// # Errors
/// Why they may not.
pub fn may_decide(
    request: &AccessRequest,
    by: Option<UserId>,
    deciders: &[UserId],
    now: OffsetDateTime,
) -> Result<(), AccessRefusal> {
    if request.state_at(now) != AccessState::Pending {
        return Err(AccessRefusal::Decided);
    }
    if by == Some(request.user) && deciders.iter().any(|one| Some(*one) != by) {
        return Err(AccessRefusal::Own);
    }
    Ok(())
}

/// What is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// For what.
    pub asked: Asked,
    /// For how many hours.
    pub hours: i32,
}

/// What is given of a request: what is left out stays as it was asked.
///
/// # Errors
/// A fault of `tools` or `hours` where it is more than that, or nothing.
pub fn narrow(
    request: &AccessRequest,
    tools: Option<&[String]>,
    hours: Option<i32>,
) -> Result<Given, Faults> {
    let mut faults = Faults::default();
    let hours = hours.unwrap_or(request.hours);
    if !(1..=request.hours).contains(&hours) {
        faults.add("hours", format!("choose 1 to {} hours, as asked at the most", request.hours));
    }
    let asked = match (&request.asked, tools) {
        (asked, None) | (asked @ Asked::Class(_), Some([])) => asked.clone(),
        (Asked::Class(_), Some(_)) => {
            faults.add("tools", "a class was asked for, and it is given as a whole or not at all");
            request.asked.clone()
        }
        (Asked::Tools(all), Some(some)) => {
            let kept: Vec<_> = all.iter().filter(|tool| some.contains(tool)).cloned().collect();
            if kept.is_empty() || some.iter().any(|tool| !all.contains(tool)) {
                faults.add("tools", "choose one or several of the tools that were asked for");
            }
            Asked::Tools(kept)
        }
    };
    faults.into_result(Given { asked, hours })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::base::ids::{AccessRequestId, ServerId};

    const NOW: OffsetDateTime = datetime!(2026-11-27 12:00 UTC);

    fn request(asked: Asked) -> AccessRequest {
        AccessRequest {
            id: AccessRequestId::fresh(),
            state: AccessState::Pending,
            user: UserId::fresh(),
            requester_name: "Ada".to_owned(),
            server: ServerId::fresh(),
            server_slug: "github".to_owned(),
            asked,
            why: "A release.".to_owned(),
            hours: 24,
            request: None,
            asked_at: NOW,
            expires_at: NOW + PENDING_FOR,
            decided_at: None,
            decided_by_name: None,
            reason: String::new(),
            given_tools: Vec::new(),
            given_hours: None,
            grant: None,
            version: 1,
        }
    }

    fn tools(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn tools_or_a_class_are_asked_for_within_bounds() {
        let form = |tools: &[String], class: &str, why: &str, hours| {
            AccessForm { tools, class, why, hours }
                .parse()
                .map_err(|faults| faults.iter().map(|fault| fault.field.to_owned()).collect::<Vec<_>>())
        };
        let asked = form(&tools(&[" b", "a", "b", ""]), "", " For a release. ", 1).expect("good");
        assert_eq!(asked, (Asked::Tools(tools(&["a", "b"])), "For a release.".to_owned()));
        assert_eq!(form(&[], "write", "x", 720).expect("good").0, Asked::Class(Class::Write));
        assert_eq!(form(&[], "", "", 0), Err(tools(&["tools", "why", "hours"])));
        assert_eq!(form(&tools(&["a"]), "read", "x", 721), Err(tools(&["class", "hours"])));
        assert_eq!(form(&[], "any", "x", 1), Err(tools(&["class"])));
        for pattern in ["*", "get_*", "class:destructive"] {
            assert_eq!(form(&tools(&[pattern]), "", "x", 1), Err(tools(&["tools"])), "{pattern}");
        }
    }

    #[test]
    fn what_is_given_is_never_more_than_what_was_asked_for() {
        let asked = request(Asked::Tools(tools(&["a", "b"])));
        let given = narrow(&asked, Some(&tools(&["b"])), Some(2)).expect("less");
        assert_eq!(given, Given { asked: Asked::Tools(tools(&["b"])), hours: 2 });
        assert!(narrow(&asked, Some(&tools(&["b", "c"])), None).is_err());
        assert!(narrow(&asked, Some(&[]), None).is_err());
        assert!(narrow(&asked, None, Some(25)).is_err());
        let class = request(Asked::Class(Class::Read));
        assert!(narrow(&class, Some(&tools(&["a"])), None).is_err());
        assert_eq!(narrow(&class, Some(&[]), None).expect("all of it").asked, Asked::Class(Class::Read));
    }

    #[test]
    fn nobody_decides_about_their_own_request_but_the_only_one_who_can() {
        let request = request(Asked::Class(Class::Read));
        let (own, other) = (request.user, UserId::fresh());
        assert_eq!(may_decide(&request, Some(own), &[own, other], NOW), Err(AccessRefusal::Own));
        assert_eq!(may_decide(&request, Some(own), &[own], NOW), Ok(()));
        assert_eq!(may_decide(&request, Some(other), &[own, other], NOW), Ok(()));
        let late = NOW + PENDING_FOR;
        assert_eq!(may_decide(&request, Some(other), &[other], late), Err(AccessRefusal::Decided));
    }
}
