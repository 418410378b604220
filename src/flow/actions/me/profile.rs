//! Name, time zone, theme and shortcuts.

use serde::Serialize;

use crate::{
    base::faults::Faults,
    domain::{
        audit::{self, Entry, Unrecorded},
        identity::{
            store as identity,
            users::{Profile, Theme, User},
        },
    },
    flow::{
        cx::PersonCx,
        fault::{ActionError, ActionResult},
    },
};

/// What a person types about themselves.
#[derive(Clone, Debug, Default)]
pub struct ProfileInput {
    /// What they are called.
    pub name: String,
    /// Where their clock stands.
    pub time_zone: String,
    /// Whether single keys act in the console.
    pub shortcuts: bool,
}

#[derive(Serialize)]
struct ProfileRecord<'a> {
    name: &'a str,
    time_zone: &'a str,
    shortcuts: bool,
}

impl<'a> From<&'a User> for ProfileRecord<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            name: user.name.as_str(),
            time_zone: user.time_zone.as_str(),
            shortcuts: user.shortcuts.is_on(),
        }
    }
}

/// Changes name, time zone and shortcuts.
///
/// # Errors
/// `Changed` where another window was faster than the version seen.
pub async fn update(cx: &PersonCx, input: &ProfileInput, seen: Option<i64>) -> ActionResult<User> {
    let profile = parse(input, cx.user.theme)?;
    let mut tx = cx.tx().await?;
    let expected = seen.unwrap_or(cx.user.version);
    let after = identity::users::update_profile(&mut tx, cx.id(), &profile, expected, cx.now()).await?;
    let after = after.ok_or(ActionError::Changed)?;
    let entry = Entry::admin("profile.changed", &cx.who())
        .target("user", after.id, after.name.as_str())
        .changed(&ProfileRecord::from(&cx.user), &ProfileRecord::from(&after));
    if entry.has_change() {
        audit::commit(tx, cx.now(), vec![entry]).await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    }
    Ok(after)
}

/// Sets the color scheme at once; everything else stays.
pub async fn set_theme(cx: &PersonCx, theme: &str) -> ActionResult<Theme> {
    let theme: Theme = theme.parse().map_err(|error| ActionError::field("theme", format!("{error}")))?;
    let profile = Profile {
        name: cx.user.name.clone(),
        theme,
        time_zone: cx.user.time_zone,
        shortcuts: cx.user.shortcuts,
    };
    let mut tx = cx.tx().await?;
    let done = identity::users::update_profile(&mut tx, cx.id(), &profile, cx.user.version, cx.now()).await?;
    done.ok_or(ActionError::Changed)?;
    audit::commit_unrecorded(tx, Unrecorded::Preference).await?;
    Ok(theme)
}

fn parse(input: &ProfileInput, theme: Theme) -> ActionResult<Profile> {
    let mut faults = Faults::default();
    let name = faults.check("name", input.name.parse());
    let zone = faults.check("time_zone", input.time_zone.parse());
    match (name, zone) {
        (Some(name), Some(time_zone)) => {
            Ok(Profile { name, theme, time_zone, shortcuts: input.shortcuts.into() })
        }
        _ => Err(faults.into()),
    }
}
