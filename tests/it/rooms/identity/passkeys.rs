use portreeve::domain::identity::{passkeys::Credential, relying::Relying, store::passkeys};
use serde_json::json;

use crate::rooms::{
    NOW, World, drop_it,
    identity::{new_user, user},
};

/// A credential as it is stored; no key belongs to it.
fn credential(id: &str) -> Credential {
    let point = "A".repeat(43);
    let key = json!({ "curve": "SECP256R1", "x": point, "y": point });
    serde_json::from_value(json!({ "cred": {
        "cred_id": id, "cred": { "type_": "ES256", "key": { "EC_EC2": key } }, "counter": 0,
        "transports": null, "user_verified": true, "backup_eligible": false, "backup_state": false,
        "registration_policy": "required", "extensions": {},
        "attestation": { "data": "None", "metadata": "None" }, "attestation_format": "none" } }))
    .unwrap()
}

#[tokio::test]
async fn a_passkey_is_kept_once_and_offered_by_its_id() {
    let world = World::fresh().await;
    let ada = user(&world, "ada@x.test").await;
    let id = data_encoding::BASE64URL_NOPAD.encode(ada.uuid().as_bytes());
    let credential = credential(&id);
    let mut tx = world.system_tx().await;
    let name = "Key".parse().unwrap();
    let passkey = passkeys::insert(&mut tx, ada, &name, &credential, NOW).await.unwrap().unwrap();
    assert!(passkeys::insert(&mut tx, ada, &name, &credential, NOW).await.unwrap().is_none());
    assert!(passkeys::rename(&mut tx, ada, passkey, &"Blue".parse().unwrap()).await.unwrap());
    let found = passkeys::find_by_credential(&mut tx, credential.id()).await.unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str()), (passkey, "Blue"));
    assert!(passkeys::mark_used(&mut tx, &found, NOW).await.unwrap());
    let all = passkeys::list(&mut tx, ada).await.unwrap();
    assert_eq!((all.len(), all[0].last_used_at), (1, Some(NOW)));

    let relying = Relying::new(&"https://a.example".parse().unwrap()).unwrap();
    let (options, _) = relying.start_proof(&all).unwrap();
    assert_eq!(options["publicKey"]["allowCredentials"][0]["id"], id);
    let new = new_user("ada@x.test");
    let (options, _) = relying.start_registration(ada, &new.email, &new.name, &all).unwrap();
    assert_eq!(options["publicKey"]["excludeCredentials"][0]["id"], id);
    for deleted in [true, false] {
        assert_eq!(passkeys::delete(&mut tx, ada, passkey).await.unwrap(), deleted);
    }
    drop_it(tx).await;
}
