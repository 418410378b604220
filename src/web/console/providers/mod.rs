//! OAuth providers: list, new, page of one with its secret or key, change, disable, enable, delete.

mod accounts;
mod change;
mod list;
mod of_server;
mod register;
#[cfg(test)]
mod samples;
mod show;
mod trial;
mod words;

use crate::{
    base::permission::Permission,
    domain::connections::Provider,
    web::kit::{
        ask::OrgPage,
        parts::Crumb,
        routes::{Access, Effect, Routes},
    },
};

#[cfg(test)]
pub(super) use samples::samples;

pub(super) use trial::tried;

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::ProvidersRead);
    let write = Access::Org(Permission::ProvidersWrite);
    let one = "/o/{org}/providers/{provider}";
    let records = |actions: &'static [&'static str]| Effect::Records(actions);
    let begun = Effect::Unrecorded("the browser goes to the provider; what it brings back is recorded");
    Routes::default()
        .page("/o/{org}/providers", read, list::list)
        .page("/o/{org}/providers/new", write, register::new)
        .form("/o/{org}/providers/new", write, records(&["provider.created"]), register::create)
        .page(one, read, show::show)
        .form(
            &format!("{one}/rotate"),
            write,
            records(&["provider.secret_rotated", "provider.key_rotated"]),
            show::rotate,
        )
        .form(&format!("{one}/preset"), write, records(&["provider.preset_taken"]), show::take_preset)
        .page(&format!("{one}/edit"), write, change::edit)
        .form(&format!("{one}/edit"), write, records(&["provider.changed"]), change::save)
        .form(&format!("{one}/disable"), write, records(&["provider.disabled"]), change::disable)
        .form(&format!("{one}/enable"), write, records(&["provider.enabled"]), change::enable)
        .form(&format!("{one}/delete"), write, records(&["provider.deleted"]), change::delete)
        .form(&format!("{one}/rediscover"), write, records(&["provider.moved"]), of_server::rediscover)
        .form(&format!("{one}/try"), write, begun, trial::sign_in)
        .form(&format!("{one}/try/client"), write, records(&["provider.tried"]), trial::client)
        .page(&format!("{one}/accounts"), Access::Org(Permission::ConnectionsRead), accounts::list)
        .page(
            &format!("{one}/accounts/{{connection}}"),
            Access::Org(Permission::ConnectionsRead),
            accounts::show,
        )
        .form(
            &format!("{one}/accounts/{{connection}}/disconnect"),
            Access::Org(Permission::ConnectionsWrite),
            records(&["connection.ended", "connection.ended_upstream"]),
            accounts::disconnect,
        )
        .form(
            &format!("{one}/accounts/{{connection}}/switch"),
            Access::Org(Permission::ConnectionsWrite),
            records(&["connection.switched_off", "connection.switched_on"]),
            accounts::switch,
        )
        .page("/o/{org}/servers/{server}/provider", write, of_server::new)
        .form(
            "/o/{org}/servers/{server}/provider",
            write,
            records(&["provider.created", "server.credentials_changed"]),
            of_server::create,
        )
        .page("/oauth/clients/{known}", Access::Anyone, of_server::document)
        .page("/oauth/clients/{known}/jwks.json", Access::Anyone, of_server::keys)
}

fn crumb(ask: &OrgPage) -> Crumb {
    Crumb::to("Providers", list_href(ask))
}

fn list_href(ask: &OrgPage) -> String {
    format!("/o/{}/providers", ask.cx.org.slug)
}

fn href(ask: &OrgPage, provider: &Provider) -> String {
    format!("{}/{}", list_href(ask), provider.slug)
}
