//! Servers: list, new, page of one with its tools, credentials and health, check, change, disable, delete.

mod add;
mod change;
mod check;
mod credential_preview;
mod credentials;
mod list;
mod needs;
#[cfg(test)]
mod samples;
mod show;
mod tool;
pub(super) mod words;

use crate::{
    base::permission::Permission,
    web::kit::{
        ask::OrgPage,
        parts::Crumb,
        routes::{Access, Effect, Routes},
    },
};

#[cfg(test)]
pub(super) use samples::samples;
pub(super) use show::tabs;

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::ServersRead);
    let write = Access::Org(Permission::ServersWrite);
    let one = "/o/{org}/servers/{server}";
    let records = |actions: &'static [&'static str]| Effect::Records(actions);
    Routes::default()
        .page("/o/{org}/servers", read, list::list)
        .page("/o/{org}/servers/new", write, add::new)
        .form(
            "/o/{org}/servers/new",
            write,
            records(&["server.created", "server.credentials_changed", "server.catalogue_changed"]),
            add::create,
        )
        .form("/o/{org}/servers/new/check", write, records(&["server.probed"]), add::check)
        .page(one, read, show::show)
        .page(&format!("{one}/prompts"), read, show::prompts)
        .page(&format!("{one}/resources"), read, show::resources)
        .page(&format!("{one}/templates"), read, show::templates)
        .page(&format!("{one}/credentials"), read, credentials::show)
        .form(
            &format!("{one}/credentials"),
            write,
            records(&["server.credentials_changed"]),
            credentials::save,
        )
        .form(
            &format!("{one}/credentials/preview"),
            write,
            Effect::Unrecorded("nothing is in force before it is saved, which is recorded"),
            credentials::preview,
        )
        .form(
            &format!("{one}/credentials/remove"),
            write,
            records(&["server.credentials_changed"]),
            credentials::remove,
        )
        .page(&format!("{one}/check"), read, check::show)
        .form(&format!("{one}/check"), write, records(&["server.refreshed"]), check::run)
        .page(&format!("{one}/tools/{{tool}}"), read, tool::show)
        .form(&format!("{one}/tools/{{tool}}/class"), write, records(&["server.tool_changed"]), tool::class)
        .form(&format!("{one}/tools/{{tool}}/scopes"), write, records(&["server.tool_changed"]), tool::scopes)
        .form(&format!("{one}/tools/{{tool}}/switch"), write, records(&["server.tool_changed"]), tool::switch)
        .form(&format!("{one}/accept"), write, records(&["server.tools_accepted"]), tool::accept)
        .form(&format!("{one}/refuse"), write, records(&["server.tools_refused"]), tool::refuse)
        .page(&format!("{one}/edit"), write, change::edit)
        .form(&format!("{one}/edit"), write, records(&["server.changed"]), change::save)
        .form(&format!("{one}/disable"), write, records(&["server.disabled"]), change::disable)
        .form(&format!("{one}/enable"), write, records(&["server.enabled"]), change::enable)
        .form(&format!("{one}/delete"), write, records(&["server.deleted"]), change::delete)
}

pub(super) fn crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("Servers", list_href(ask))
}

fn list_href(ask: &OrgPage) -> String {
    format!("/o/{}/servers", ask.cx.org.slug)
}

pub(super) fn href(ask: &OrgPage, slug: &str) -> String {
    format!("{}/{slug}", list_href(ask))
}
