//! What an agent is told that waits for a human: why it is asked, and what stands in the way of an answer.

use crate::{
    domain::approvals::{
        self, Approval, ApprovalState, Exact, WrittenNeed,
        store::{self, revoked},
    },
    flow::{
        decision::{Asked, stopped},
        fault::ActionResult,
    },
    io::db::OrgTx,
};

/// What an agent has to know that asks for an approval.
#[derive(Debug, Default)]
pub(super) struct Plight {
    /// Whether what was agreed to before was revoked.
    is_revoked: bool,
    /// Of whom too few are here to agree, in words.
    unmet: Vec<String>,
}

impl Plight {
    /// What stands in the way of an approval that waits.
    pub(super) async fn of(tx: &mut OrgTx, approval: &Approval, exact: &Exact<'_>) -> ActionResult<Self> {
        if approval.state != ApprovalState::Pending {
            return Ok(Self::default());
        }
        let judges = store::judges(tx).await?;
        let unmet = approvals::unmet(&approval.needs, &judges, approval.user);
        Ok(Self {
            is_revoked: revoked::was_revoked(tx, exact).await?,
            unmet: unmet.into_iter().map(WrittenNeed::in_words).collect(),
        })
    }

    /// The same in words, with a blank before each sentence.
    pub(super) fn sentences(&self) -> String {
        let revoked = if self.is_revoked { " What was agreed to before was revoked." } else { "" };
        match self.unmet.as_slice() {
            [] => revoked.to_owned(),
            unmet => format!(
                "{revoked} At present nobody can, for too few people are here: {} would have to. Tell an admin.",
                unmet.join(" and ")
            ),
        }
    }
}

/// What the rules that ask are called and say, in short.
pub(super) fn reasons(needs: &[Asked]) -> String {
    let mut told: Vec<String> = Vec::new();
    for Asked { need, .. } in needs {
        let sentence = match (&need.name, &need.words) {
            (Some(name), Some(words)) => format!(" Rule {name}: {}", stopped(words)),
            (Some(name), None) => format!(" Rule {name}."),
            (None, Some(words)) => format!(" {}", stopped(words)),
            (None, None) => continue,
        };
        if !told.contains(&sentence) {
            told.push(sentence);
        }
    }
    told.concat()
}
