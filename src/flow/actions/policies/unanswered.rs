//! What a document asks that nobody here could answer: people come and go, so it is said and forbids nothing.

use crate::{
    domain::{
        approvals::{self, WrittenNeed, store},
        policy::{
            document::{self, AskRule, Document, Mode},
            engine::{List, Part},
        },
    },
    flow::fault::ActionResult,
    io::db::OrgTx,
};

/// The questions of a document for which too few people are here, a sentence each.
pub(super) async fn unanswered(tx: &mut OrgTx, document: &str) -> ActionResult<Vec<String>> {
    let Ok(document) = document::read(document.as_bytes()) else { return Ok(Vec::new()) };
    let needs = asked(&document);
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let judges = store::judges(tx).await?;
    let sentence = |need: &WrittenNeed| {
        let rule = need.name.as_deref().unwrap_or(&need.rule);
        format!(
            "To what {rule} asks nobody can agree: {} would have to, and there are too few.",
            need.in_words()
        )
    };
    Ok(approvals::unmet(&needs, &judges, None).into_iter().map(sentence).collect())
}

/// Whom the rules of a document ask. What names nobody asks for the role approver, which an owner always stands in for.
fn asked(document: &Document) -> Vec<WrittenNeed> {
    let of = |key: Option<String>, rules: &[AskRule]| -> Vec<WrittenNeed> {
        let asking = rules.iter().enumerate().filter(|(_, one)| one.rule.mode == Mode::Enforce);
        let need = |(at, one): (usize, &AskRule)| WrittenNeed {
            layer: String::new(),
            policy: String::new(),
            version: 0,
            rule: Part::Check(key.clone(), List::AskIf, at).to_string(),
            name: one.rule.name.clone(),
            approvers: one.ask.approvers.to_string(),
            quorum: one.ask.quorum,
        };
        asking.map(need).collect()
    };
    let mut all = of(None, &document.all_tools.ask_if);
    for (key, rules) in &document.tools {
        all.extend(of(Some(key.to_string()), &rules.checks.ask_if));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_asked_is_found_with_its_place() {
        let text = r#"{"version":"1","default":"deny",
            "all_tools":{"require_approval_if":[{"conditions":[],"approvers":"team:a"}]},
            "tools":{"pay":{"require_approval_if":[
                {"conditions":[],"mode":"observe","approvers":"team:b"},
                {"name":"large","conditions":[],"approvers":"user:c@example.com","quorum":1}]}}}"#;
        let document = document::read(text.as_bytes()).expect("a document");
        let found: Vec<_> = asked(&document).into_iter().map(|need| (need.rule, need.approvers)).collect();
        let wanted = [
            ("/all_tools/require_approval_if/0", "team:a"),
            ("/tools/pay/require_approval_if/1", "user:c@example.com"),
        ];
        assert_eq!(found, wanted.map(|(rule, who)| (rule.to_owned(), who.to_owned())));
    }
}
