//! Secrets that tests begin with, sealed as an action seals them.

use portreeve::{
    base::ids::SecretId,
    domain::{
        audit::{self, Unrecorded},
        secrets::{
            SealedSecret, SecretForm, SecretOwner, SecretTerms,
            store::{SEALED_IN, secrets},
        },
        tenancy::store::orgs,
        vault::Cell,
    },
};

use crate::kit::{app::TestApp, people::PlantedOrg};

impl TestApp {
    /// A secret of this owner.
    pub(crate) async fn secret(
        &self,
        org: &PlantedOrg,
        owner: SecretOwner,
        name: &str,
        value: &str,
    ) -> SecretId {
        let id = SecretId::fresh();
        let terms =
            SecretTerms::parse(SecretForm { name, description: "", rotate_after_days: None }).unwrap();
        let mut tx = self.org_tx(org.id).await;
        let cell = Cell::new(SEALED_IN.0, SEALED_IN.1, id);
        let sealed = self.ports.vault.seal(&mut tx, cell, value.as_bytes()).await.unwrap();
        let sealed = SealedSecret { id, key: sealed.key, bytes: sealed.bytes };
        secrets::insert(&mut tx, owner, &terms, &sealed, None, self.clock.now()).await.unwrap();
        orgs::bump_epoch(&mut tx).await.unwrap();
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
        id
    }
}
