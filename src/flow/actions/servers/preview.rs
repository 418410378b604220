//! What other credentials of a server would bring, before anything is saved: what differs, and who would lack what; and one
//! credential as its page changes it.

use crate::{
    base::permission::Permission,
    domain::servers::{Credential, CredentialSource, NewCredential, Server, store},
    flow::{
        actions::servers::{
            CredentialInput, Need,
            credentials::{placed, replace_credentials},
            draft,
            look::credentials_of,
            named, needs,
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// What other credentials would bring.
#[derive(Debug)]
pub struct CredentialsPreview {
    /// The server.
    pub server: Server,
    /// What its requests carry now.
    pub before: Vec<Credential>,
    /// What they would carry; values that were typed are not among it.
    pub after: Vec<Credential>,
    /// What they would ask for, in the order of the credentials.
    pub needs: Vec<ForeseenNeed>,
}

/// Something that requests would ask for.
#[derive(Clone, Debug)]
pub struct ForeseenNeed {
    /// What it is, and who lacks it as things stand.
    pub need: Need,
    /// Whether requests do not ask for it yet.
    pub is_new: bool,
}

/// What would become of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFate {
    /// It is new.
    Added,
    /// It is there already, otherwise.
    Changed,
    /// It stays as it is.
    Kept,
    /// It goes.
    Removed,
}

impl CredentialFate {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Kept => "kept",
            Self::Removed => "removed",
        }
    }
}

impl CredentialsPreview {
    /// Each credential with what would become of it: those that would be carried, in order, then those that would go.
    pub fn fates(&self) -> Vec<(&Credential, CredentialFate)> {
        let stays = |old: &Credential| self.after.iter().any(|new| stands_for(old, new));
        let gone = self.before.iter().filter(|old| !stays(old)).map(|old| (old, CredentialFate::Removed));
        self.after.iter().map(|new| (new, fate(&self.before, new))).chain(gone).collect()
    }

    /// How many members would lack what most of them lack: at least so many are refused until it is there.
    pub fn lacking(&self) -> i64 {
        self.needs.iter().map(|foreseen| foreseen.need.lacking.count).max().unwrap_or_default()
    }
}

/// Whether two credentials have one place and name.
fn stands_for(old: &Credential, new: &Credential) -> bool {
    old.target == new.target && old.name.eq_ignore_ascii_case(&new.name)
}

fn fate(before: &[Credential], new: &Credential) -> CredentialFate {
    let Some(old) = before.iter().find(|old| stands_for(old, new)) else { return CredentialFate::Added };
    // Another value, secret or account comes under another id.
    let is_same =
        (old.id, old.source, &old.name, &old.template) == (new.id, new.source, &new.name, &new.template);
    if is_same { CredentialFate::Kept } else { CredentialFate::Changed }
}

/// One credential as somebody changes or adds it on the server's page.
#[derive(Clone, Debug, Default)]
pub struct CredentialEdit {
    /// Place and name of the one that is changed; without them one is added, or the one of that name replaced.
    pub was: Option<(String, String)>,
    /// What was typed.
    pub input: CredentialInput,
    /// The sealed value of an earlier preview.
    pub draft: String,
}

/// Says what these credentials would bring in place of the server's. Nothing is stored. Who would lack something is named for
/// those who see who is here, and counted for all.
///
/// # Errors
/// As of [`replace_credentials`].
pub async fn preview_credentials(
    cx: &OrgCx,
    name: &str,
    inputs: &[CredentialInput],
    seen: Option<i64>,
) -> ActionResult<CredentialsPreview> {
    cx.require(Permission::ServersWrite)?;
    let new = NewCredential::parse_all(inputs)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    if seen.is_some_and(|seen| seen != server.version) {
        return Err(ActionError::Changed);
    }
    let before = store::credentials::list(&mut tx, server.id).await?;
    let after = placed(cx, &mut tx, &server.url, &new, &before).await?;
    let now = needs::of(cx, &mut tx, &before).await?;
    let then = needs::of(cx, &mut tx, &after).await?;
    tx.done().await?;
    let sees_people = cx.may(Permission::MembersRead);
    let foreseen = |mut need: Need| {
        if !sees_people {
            need.lacking.first.clear();
        }
        ForeseenNeed { is_new: !now.iter().any(|known| known.is_same(&need)), need }
    };
    Ok(CredentialsPreview { server, before, after, needs: then.into_iter().map(foreseen).collect() })
}

/// Says what one more or another credential would bring, and seals a value that was typed, for the page to carry until it is
/// saved.
///
/// # Errors
/// The faults of the credential; `Changed` where the one that is changed is not there any more, or someone else was faster
/// than the version seen.
pub async fn preview_credential(
    cx: &OrgCx,
    name: &str,
    edit: &CredentialEdit,
    seen: Option<i64>,
) -> ActionResult<(CredentialsPreview, String)> {
    cx.require(Permission::ServersWrite)?;
    let typed = edit.typed(cx).await?;
    let preview = preview_credentials(cx, name, &edit.merged(cx, name, &typed).await?, seen).await?;
    let draft = match &typed.value {
        Some(value) => draft::seal(cx, value).await?,
        None => String::new(),
    };
    Ok((preview, draft))
}

/// Adds or changes one credential; the others stay as they are.
///
/// # Errors
/// As of [`preview_credential`].
pub async fn save_credential(
    cx: &OrgCx,
    name: &str,
    edit: &CredentialEdit,
    seen: Option<i64>,
) -> ActionResult<Server> {
    cx.require(Permission::ServersWrite)?;
    let typed = edit.typed(cx).await?;
    let (server, _) = replace_credentials(cx, name, &edit.merged(cx, name, &typed).await?, seen).await?;
    Ok(server)
}

/// Takes one credential away; the others stay as they are.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn remove_credential(
    cx: &OrgCx,
    name: &str,
    (target, carried): (&str, &str),
    seen: Option<i64>,
) -> ActionResult<Server> {
    cx.require(Permission::ServersWrite)?;
    let (_, stored) = credentials_of(cx, name).await?;
    let stays = |one: &&Credential| one.target.as_str() != target || one.name != carried;
    let inputs: Vec<CredentialInput> = stored.iter().filter(stays).map(kept).collect();
    let (server, _) = replace_credentials(cx, name, &inputs, seen).await?;
    Ok(server)
}

impl CredentialEdit {
    /// What was typed, with the value of an earlier preview where none was typed since.
    async fn typed(&self, cx: &OrgCx) -> ActionResult<CredentialInput> {
        let value = self.input.value.clone().filter(|value| !value.expose().is_empty());
        // Whoever chose another source after a preview leaves the value behind.
        let is_static =
            matches!(self.input.source.trim().parse::<CredentialSource>(), Ok(CredentialSource::Static));
        let value = match value {
            None if is_static => draft::open(cx, &self.draft, "value").await?,
            value => value,
        };
        let typed = CredentialInput { value, ..self.input.clone() };
        // Alone first, so that its faults do not speak of a place in a list that the page does not number.
        NewCredential::parse(&typed)?;
        Ok(typed)
    }

    /// Everything the server's requests would carry.
    async fn merged(
        &self,
        cx: &OrgCx,
        name: &str,
        typed: &CredentialInput,
    ) -> ActionResult<Vec<CredentialInput>> {
        let (_, stored) = credentials_of(cx, name).await?;
        let is_it = |one: &Credential| match &self.was {
            Some((target, was)) => one.target.as_str() == target && one.name == *was,
            None => {
                one.target.as_str() == typed.target.trim() && one.name.eq_ignore_ascii_case(typed.name.trim())
            }
        };
        let mut inputs: Vec<CredentialInput> =
            stored.iter().map(|one| if is_it(one) { typed.clone() } else { kept(one) }).collect();
        if !stored.iter().any(is_it) {
            if self.was.is_some() {
                return Err(ActionError::Changed);
            }
            inputs.push(typed.clone());
        }
        Ok(inputs)
    }
}

/// A stored credential as it would be typed to stay.
fn kept(credential: &Credential) -> CredentialInput {
    CredentialInput {
        target: credential.target.as_str().to_owned(),
        name: credential.name.clone(),
        source: credential.source.as_str().to_owned(),
        secret: credential.secret.clone().unwrap_or_default(),
        provider: credential.provider.as_ref().map(|provider| provider.slug.clone()).unwrap_or_default(),
        template: credential.template.clone(),
        value: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::ids::CredentialId, domain::servers::CredentialTarget};

    fn carried(name: &str) -> Credential {
        Credential {
            id: CredentialId::fresh(),
            target: CredentialTarget::Header,
            name: name.to_owned(),
            source: CredentialSource::Static,
            provider: None,
            secret: None,
            template: "{value}".to_owned(),
            value: None,
        }
    }

    #[test]
    fn a_credential_is_told_apart_by_its_place_and_name_and_compared_by_the_rest() {
        let old = carried("X-Key");
        let before = [old.clone()];
        assert_eq!(fate(&before, &old), CredentialFate::Kept);
        assert_eq!(fate(&before, &carried("x-key")), CredentialFate::Changed, "another value");
        let other_text = Credential { template: "Bearer {value}".to_owned(), ..old.clone() };
        assert_eq!(fate(&before, &other_text), CredentialFate::Changed);
        assert_eq!(fate(&before, &carried("X-Other")), CredentialFate::Added);
        let elsewhere = Credential { target: CredentialTarget::Query, ..old };
        assert_eq!(fate(&before, &elsewhere), CredentialFate::Added);
    }

    #[test]
    fn what_stays_is_typed_without_its_value() {
        let input = kept(&carried("X-Key"));
        assert_eq!((input.name.as_str(), input.source.as_str()), ("X-Key", "static"));
        assert!(input.value.is_none());
    }
}
