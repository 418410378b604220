//! What is typed to invite people.

use crate::{
    base::{email::Email, faults::Faults},
    domain::tenancy::NewInvitation,
    flow::actions::invitations::{InviteInput, MOST_AT_ONCE},
};

/// Reads the addresses, each once, with role and team.
pub(super) fn parse(input: &InviteInput) -> Result<Vec<NewInvitation>, Faults> {
    let mut faults = Faults::default();
    let given: Vec<&str> =
        input.emails.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
    let mut emails: Vec<Email> = Vec::new();
    let mut bad: Vec<&str> = Vec::new();
    for text in &given {
        match text.parse::<Email>() {
            Ok(email) if emails.contains(&email) => {}
            Ok(email) => emails.push(email),
            Err(_) => bad.push(text),
        }
    }
    if given.is_empty() {
        faults.add("emails", "enter at least one e-mail address");
    } else if given.len() > MOST_AT_ONCE {
        faults.add(
            "emails",
            format!("enter at most {MOST_AT_ONCE} addresses at once; these are {}", given.len()),
        );
    } else if !bad.is_empty() {
        let list: Vec<String> = bad.iter().map(|text| text.chars().take(60).collect()).collect();
        let what = if bad.len() == 1 { "this is no e-mail address" } else { "these are no e-mail addresses" };
        faults.add("emails", format!("{what}: {}", list.join(", ")));
    }
    // The address stands in only so that role and team are read by their own rules.
    let rest = match NewInvitation::parse("someone@example.com", &input.role, Some(&input.team)) {
        Ok(new) => Some(new),
        Err(more) => {
            more.iter().for_each(|fault| faults.add(fault.field, fault.message.clone()));
            None
        }
    };
    let all =
        |new: NewInvitation| emails.into_iter().map(|email| NewInvitation { email, ..new.clone() }).collect();
    faults.into_result(rest.map(all).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(emails: &[&str], role: &str) -> InviteInput {
        let emails = emails.iter().map(|email| (*email).to_owned()).collect();
        InviteInput { emails, role: role.to_owned(), team: String::new() }
    }

    #[test]
    fn each_address_is_invited_once_whatever_its_case() {
        let parsed =
            parse(&input(&["ada@acme.example", " ", "ADA@acme.example", "bo@acme.example"], "member"));
        let emails: Vec<_> = parsed.expect("good").iter().map(|new| new.email.to_string()).collect();
        assert_eq!(emails, ["ada@acme.example", "bo@acme.example"]);
    }

    #[test]
    fn one_bad_address_stops_all_and_is_named() {
        let faults = parse(&input(&["ada@acme.example", "bo", "c@"], "king")).expect_err("bad");
        let texts: Vec<_> = faults.iter().map(|fault| (fault.field, fault.message.as_str())).collect();
        assert_eq!(texts[0], ("emails", "these are no e-mail addresses: bo, c@"));
        assert_eq!(texts[1].0, "role");
        assert!(parse(&input(&[" "], "member")).is_err());
        let many: Vec<String> = (0..51).map(|n| format!("p{n}@acme.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(parse(&input(&many, "member")).is_err());
        assert!(parse(&input(&many[..50], "member")).is_ok());
    }
}
