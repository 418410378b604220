//! Ending all accounts of an organization at their providers as it is deleted. Its keys go with it, so everything is opened
//! before, and told once: nothing is left that could be told again.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use futures_util::{StreamExt, stream};

use crate::{
    base::ids::ProviderId,
    domain::connections::store::endings::{self, Held},
    flow::{
        fault::ActionResult,
        tokens::{Armed, Pair, Tokens, end_upstream},
    },
    io::db::OrgTx,
    protocol::oauth::document::Facts,
};

/// How many accounts are told of; of those beyond, the tokens end by themselves.
const MOST: i64 = 5_000;
/// How many providers are told at once.
const AT_ONCE: usize = 8;

/// What is needed to end accounts at their providers.
#[derive(Debug, Default)]
pub struct Farewell(Vec<(Arc<Armed>, Pair, Facts)>);

impl Tokens {
    /// Opens what is needed to end all accounts of an organization, while its keys are there. What cannot be opened, and what
    /// cannot be ended from outside, is left out.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn farewell(&self, tx: &mut OrgTx) -> ActionResult<Farewell> {
        let vault = &self.parts().vault;
        let mut armed: HashMap<(ProviderId, i64), Option<Arc<Armed>>> = HashMap::new();
        let mut all = Vec::new();
        for Held { id, provider, facts, tokens, former } in endings::everything(tx, MOST).await? {
            let version = former.as_ref().map_or(0, |former| former.version);
            let known = match armed.entry((provider, version)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let found = Armed::to_end(vault, tx, provider, former.as_ref()).await.ok().flatten();
                    place.insert(found.filter(|armed| armed.template.can_revoke()).map(Arc::new))
                }
            };
            let Some(armed) = known else { continue };
            if let Ok(pair) = Pair::open(vault, tx, id, &tokens).await {
                all.push((Arc::clone(armed), pair, facts));
            }
        }
        Ok(Farewell(all))
    }

    /// Tells the providers, in the background. A process that is stopped meanwhile waits for it as long as it drains.
    pub fn say(&self, Farewell(all): Farewell) {
        let (egress, clock) = (self.parts().egress.clone(), self.parts().clock.clone());
        self.parts().tasks.spawn(async move {
            let ends = stream::iter(all).map(|(armed, pair, facts)| {
                let (egress, clock) = (&egress, &clock);
                async move { end_upstream(egress, &armed, &pair, &facts, clock.now()).await }
            });
            let ends: Vec<_> = ends.buffer_unordered(AT_ONCE).collect().await;
            tracing::info!(
                accounts = ends.len(),
                "providers were told of the accounts of a deleted organization"
            );
        });
    }
}
