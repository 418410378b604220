use portreeve::{
    base::{ids::OrgId, page::PageRequest, permission::Role, update::Update},
    domain::tenancy::{
        NewOrg, OrgFilter, OrgRef, OrgSettings, OrgState,
        store::{members, orgs},
    },
};

use crate::rooms::{NOW, drop_it, keep, tenancy::Acme};

#[tokio::test]
async fn an_organization_is_changed_only_by_who_saw_its_latest_version() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.org_tx(acme.org).await;
    let org = orgs::find(&mut tx).await.unwrap().unwrap();
    assert_eq!((org.epoch, org.version), (3, 1), "each of the two members raised the epoch");
    let settings = OrgSettings::parse(&org, Some("Acme Two"), None, Some("5"), None).unwrap();
    assert_eq!(orgs::update(&mut tx, &settings, Some(9), NOW).await.unwrap(), Update::Conflict);
    assert_eq!(orgs::update(&mut tx, &settings, Some(1), NOW).await.unwrap(), Update::Done(2));
    assert_eq!(orgs::bump_epoch(&mut tx).await.unwrap(), 5);
    let org = orgs::find(&mut tx).await.unwrap().unwrap();
    assert_eq!((org.name.as_str(), org.version), ("Acme Two", 2));
    drop_it(tx).await;
}

#[tokio::test]
async fn a_slug_belongs_to_one_organization() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.org_tx(OrgId::fresh()).await;
    let taken = orgs::insert(&mut tx, &NewOrg::parse("B", "acme").unwrap(), NOW).await.unwrap_err();
    assert!(taken.broke(orgs::SLUG_IS_FREE), "{taken:?}");
}

#[tokio::test]
async fn a_person_finds_only_organizations_they_are_in() {
    let acme = Acme::fresh().await;
    let mut tx = acme.person_tx(acme.ada).await;
    assert_eq!(orgs::list_of_person(&mut tx).await.unwrap().len(), 1);
    let found = orgs::find_of_person(&mut tx, &"acme".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((found.role, found.org.id), (Role::Owner, acme.org));
    assert!(orgs::find_of_person(&mut tx, &OrgRef::Id(acme.org)).await.unwrap().is_some());
    drop_it(tx).await;
    let mut tx = acme.person_tx(acme.cyd).await;
    assert!(orgs::list_of_person(&mut tx).await.unwrap().is_empty());
    assert!(orgs::find_of_person(&mut tx, &OrgRef::Id(acme.org)).await.unwrap().is_none());
    drop_it(tx).await;
}

#[tokio::test]
async fn an_operator_lists_suspends_and_resumes() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.system_tx().await;
    let active = OrgFilter { q: Some("ACM".into()), state: Some(OrgState::Active) };
    let page = orgs::list_for_operator(&mut tx, &active, &PageRequest::first()).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].members, page.items[0].owners), (1, 2, 2));
    assert_eq!(orgs::count(&mut tx).await.unwrap(), 1);
    let (seen, reason) = (page.items[0].version, "unpaid".parse().unwrap());
    let suspended = orgs::suspend(&mut tx, acme.org, &reason, Some(seen), NOW).await.unwrap();
    assert_eq!(suspended, Update::Done(seen + 1));
    let page = orgs::list_for_operator(&mut tx, &active, &PageRequest::first()).await.unwrap();
    assert!(page.items.is_empty());
    assert_eq!(orgs::resume(&mut tx, acme.org, Some(seen), NOW).await.unwrap(), Update::Conflict);
    assert_eq!(orgs::resume(&mut tx, acme.org, None, NOW).await.unwrap(), Update::Done(seen + 2));
    assert_eq!(orgs::resume(&mut tx, OrgId::fresh(), None, NOW).await.unwrap(), Update::NotFound);
    drop_it(tx).await;
}

#[tokio::test]
async fn a_deletion_is_asked_for_once_and_can_be_taken_back() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.org_tx(acme.org).await;
    assert!(matches!(orgs::ask_deletion(&mut tx, acme.ada, None, NOW).await.unwrap(), Update::Done(_)));
    assert_eq!(orgs::ask_deletion(&mut tx, acme.ada, None, NOW).await.unwrap(), Update::Conflict);
    keep(tx).await;
    let mut tx = acme.world.system_tx().await;
    assert_eq!(orgs::list_deletion_asked(&mut tx, NOW, 100).await.unwrap(), [acme.org]);
    drop_it(tx).await;
    let mut tx = acme.world.org_tx(acme.org).await;
    assert!(matches!(orgs::cancel_deletion(&mut tx, None, NOW).await.unwrap(), Update::Done(_)));
    keep(tx).await;
    let mut tx = acme.world.system_tx().await;
    assert!(orgs::list_deletion_asked(&mut tx, NOW, 100).await.unwrap().is_empty());
    drop_it(tx).await;
}

#[tokio::test]
async fn a_deleted_organization_has_nobody_and_is_found_by_operators_alone() {
    let acme = Acme::fresh().await;
    let mut tx = acme.world.org_tx(acme.org).await;
    assert_eq!(orgs::delete(&mut tx, Some(0), NOW).await.unwrap(), Update::Conflict);
    assert_eq!(orgs::delete(&mut tx, None, NOW).await.unwrap(), Update::Done(()));
    assert_eq!(orgs::delete(&mut tx, None, NOW).await.unwrap(), Update::NotFound);
    assert!(orgs::find(&mut tx).await.unwrap().is_none());
    assert_eq!(members::count(&mut tx).await.unwrap(), 0);
    keep(tx).await;
    let mut tx = acme.world.system_tx().await;
    let gone = orgs::find_for_operator(&mut tx, &OrgRef::Id(acme.org)).await.unwrap().unwrap();
    assert_eq!((gone.state(), gone.members), (OrgState::Deleted, 0));
    drop_it(tx).await;
    let mut tx = acme.person_tx(acme.ada).await;
    assert!(orgs::list_of_person(&mut tx).await.unwrap().is_empty());
    drop_it(tx).await;
}
