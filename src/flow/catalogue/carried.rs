//! What requests to a server carry besides the message: opened for one conversation, then wiped.

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::{
    base::{ids::UserId, secret::Secret},
    domain::{
        secrets::store::{SEALED_IN as SECRETS, served},
        servers::{Credential, CredentialTarget, NewCredential, store::credentials::SEALED_IN},
        vault::{Cell, Sealed, Vault, VaultResult},
    },
    flow::{catalogue::lent::Lent, decision::scope_of},
    io::db::OrgTx,
};

/// A server's address and headers, with its credentials in their places.
pub struct Carried {
    url: Secret<String>,
    headers: HeaderMap,
    count: usize,
    lacks: usize,
}

/// Headers and address hold secrets.
impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carried").field("count", &self.count).finish_non_exhaustive()
    }
}

/// A credential that was typed and is not stored.
pub type Typed = NewCredential;

impl Carried {
    /// The address alone.
    pub fn bare(url: &str) -> Self {
        Self { url: Secret::new(url.to_owned()), headers: HeaderMap::new(), count: 0, lacks: 0 }
    }

    /// The address with credentials that were just typed; those without a value are left out.
    pub fn typed(url: &str, credentials: &[Typed]) -> Self {
        let mut carried = Self::bare(url);
        for credential in credentials {
            if let Some(value) = &credential.value {
                carried.put(credential.target, &credential.name, &credential.filled(value));
            }
        }
        carried
    }

    /// The address with the credentials of a server, opened: of secrets those that serve this person, if there is one, and
    /// tokens of the accounts that lend theirs. What is not there is left out, and counted.
    ///
    /// # Errors
    /// When a value does not open.
    pub async fn opened(
        vault: &Vault,
        tx: &mut OrgTx,
        url: &str,
        credentials: &[Credential],
        user: Option<UserId>,
        lent: &Lent,
    ) -> VaultResult<Self> {
        let mut carried = Self::bare(url);
        for credential in credentials {
            if let Some(provider) = &credential.provider {
                match lent.get(&provider.id) {
                    Some(token) => {
                        carried.put(credential.target, &credential.name, &credential.filled(token))
                    }
                    None => carried.lacks += 1,
                }
                continue;
            }
            let (cell, sealed) = match (&credential.value, scope_of(credential.source), &credential.secret) {
                (Some(value), ..) => {
                    (cell(credential), Sealed { key: value.key, bytes: value.bytes.clone() })
                }
                (None, Some(scope), Some(name)) => match served::find_for(tx, scope, name, user).await? {
                    Some(found) => {
                        let cell = Cell::new(SECRETS.0, SECRETS.1, found.id);
                        (cell, Sealed { key: found.key, bytes: found.bytes })
                    }
                    None => {
                        carried.lacks += 1;
                        continue;
                    }
                },
                _ => continue,
            };
            let opened = vault.open(tx, cell, &sealed).await?;
            let text = Secret::new(String::from_utf8_lossy(opened.expose()).into_owned());
            carried.put(credential.target, &credential.name, &credential.filled(&text));
        }
        Ok(carried)
    }

    /// The address, secrets included.
    pub(super) fn url(&self) -> &str {
        self.url.expose()
    }

    /// The headers.
    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether there is anything to carry.
    pub(super) const fn has_any(&self) -> bool {
        self.count > 0
    }

    /// Whether something that the server asks for is not there.
    pub(super) const fn lacks_any(&self) -> bool {
        self.lacks > 0
    }

    fn put(&mut self, target: CredentialTarget, name: &str, text: &Secret<String>) {
        match target {
            CredentialTarget::Header => {
                // Both were checked when they were stored.
                let (Ok(name), Ok(mut value)) =
                    (name.parse::<HeaderName>(), HeaderValue::from_str(text.expose()))
                else {
                    return;
                };
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            CredentialTarget::Query => {
                let Ok(mut url) = Url::parse(self.url.expose()) else { return };
                url.query_pairs_mut().append_pair(name, text.expose());
                self.url = Secret::new(String::from(url));
            }
            CredentialTarget::Env => return,
        }
        self.count += 1;
    }
}

/// The cell that a credential's value is bound to.
pub fn cell(credential: &Credential) -> Cell {
    let (table, column) = SEALED_IN;
    Cell::new(table, column, credential.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::servers::CredentialForm;

    fn typed(target: &str, name: &str, template: &str, value: &str) -> Typed {
        NewCredential::parse(&CredentialForm {
            target: target.to_owned(),
            name: name.to_owned(),
            template: template.to_owned(),
            value: Some(Secret::new(value.to_owned())),
            ..CredentialForm::default()
        })
        .expect("a credential")
    }

    #[test]
    fn credentials_stand_where_they_belong_and_are_not_printed() {
        let all = [
            typed("header", "Authorization", "Bearer {value}", "s3cret"),
            typed("query", "key", "", "a b&c"),
        ];
        let carried = Carried::typed("https://mcp.example/mcp?x=1", &all);
        assert_eq!(carried.url(), "https://mcp.example/mcp?x=1&key=a+b%26c");
        assert_eq!(carried.headers()["authorization"], "Bearer s3cret");
        assert!(carried.headers()["authorization"].is_sensitive() && carried.has_any());
        assert!(!format!("{carried:?} {:?}", carried.headers()).contains("s3cret"));
    }
}
