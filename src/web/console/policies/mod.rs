//! Policies: trying a call, tests, layers, and what holds after all of them.

mod answers;
mod around;
mod effective;
mod layers;
mod simulator;
mod tests;

use crate::{
    base::permission::Permission,
    web::kit::routes::{Access, Effect, Routes},
};

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::PoliciesRead);
    let write = Access::Org(Permission::PoliciesWrite);
    let one = "/o/{org}/policies/{policy}";
    let at = |rest: &str| format!("{one}{rest}");
    Routes::default()
        .page("/o/{org}/policies/effective", read, effective::show)
        .page("/o/{org}/policies/layers", read, layers::show)
        .form("/o/{org}/policies/layers", write, Effect::Records(&["layers.changed"]), layers::save)
        .page(&at("/simulate"), read, simulator::show)
        .form(&at("/simulate"), read, Effect::Unrecorded(simulator::UNRECORDED), simulator::try_it)
        .page(&at("/tests"), read, tests::list)
        .form(&at("/tests"), write, Effect::Records(&["policy_test.created"]), tests::add)
        .form(&at("/tests/{test}/delete"), write, Effect::Records(&["policy_test.deleted"]), tests::remove)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    let mut samples = effective::samples();
    samples.extend(layers::samples());
    samples.extend(simulator::samples());
    samples.extend(tests::samples());
    samples
}
