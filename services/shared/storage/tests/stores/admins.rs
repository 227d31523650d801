//! What every store of admins, sessions and actions does.

use grok2api_kit::settings::Mode;
use grok2api_storage::{
    Error, Store,
    actions::Action,
    admins::{Admin, Role},
    sessions::Session,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Stand;

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    macro_rules! run {
        ($($name:ident),* $(,)?) => { $(
            let (one, other) = stand.two().await;
            $name(&one, &other).await;
        )* };
    }
    run! {
        an_admin_is_kept_and_found_by_id_and_name,
        names_of_admins_are_unique,
        an_update_of_an_old_version_is_refused,
        the_last_owner_stays_whoever_writes_at_the_same_time,
        a_session_is_kept_until_it_is_revoked,
        all_sessions_of_an_admin_end_at_once,
        expired_sessions_are_purged,
        actions_are_paged_from_the_newest,
    }
}

fn admin(name: &str) -> Admin {
    Admin {
        id: Uuid::now_v7(),
        name: name.into(),
        role: Role::Operator,
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
        created_at: 5,
        last_login_at: None,
        disabled: false,
        must_change: true,
        version: 1,
    }
}

async fn an_admin_is_kept_and_found_by_id_and_name(one: &Store, other: &Store) {
    let (one, other) = (one.admins(), other.admins());
    let mut zoe = Admin { role: Role::Owner, last_login_at: Some(-3), ..admin("zoé") };
    let bob = Admin { role: Role::Viewer, disabled: true, ..admin("bob") };
    one.insert(&zoe).await.unwrap();
    one.insert(&bob).await.unwrap();
    assert_eq!(other.list().await.unwrap(), [bob.clone(), zoe.clone()]);
    assert_eq!(other.get(bob.id).await.unwrap(), Some(bob));
    assert_eq!(other.find("zoé").await.unwrap(), Some(zoe.clone()));
    for nobody in ["ZOÉ", "zoe", ""] {
        assert_eq!(other.find(nobody).await.unwrap(), None);
    }
    zoe.name = "zoe".into();
    zoe.password_hash = "other".into();
    zoe.version = one.update(&zoe).await.unwrap();
    assert_eq!(other.find("zoe").await.unwrap(), Some(zoe));
    assert_eq!(other.find("zoé").await.unwrap(), None);
    assert_eq!(other.get(Uuid::now_v7()).await.unwrap(), None);
}

async fn names_of_admins_are_unique(one: &Store, other: &Store) {
    let (one, other) = (one.admins(), other.admins());
    let (ann, mut bob) = (admin("ann"), admin("bob"));
    one.insert(&ann).await.unwrap();
    one.insert(&bob).await.unwrap();
    bob.name = "ann".into();
    for refused in [other.insert(&admin("ann")).await, other.update(&bob).await.map(drop)] {
        let Err(error @ Error::Taken { .. }) = refused else { panic!("{refused:?}") };
        assert!(error.to_string().contains("\"ann\""), "{error}");
    }
    // A name that was given up is free.
    bob.name = "rob".into();
    other.update(&bob).await.unwrap();
    other.insert(&admin("bob")).await.unwrap();
    let eves = [admin("eve"), admin("eve")];
    let raced = tokio::join!(one.insert(&eves[0]), other.insert(&eves[1]));
    assert_eq!([raced.0, raced.1].iter().filter(|done| done.is_ok()).count(), 1);
}

async fn an_update_of_an_old_version_is_refused(one: &Store, other: &Store) {
    let (one, other) = (one.admins(), other.admins());
    let ann = admin("ann");
    one.insert(&ann).await.unwrap();
    one.update(&ann).await.unwrap();
    let refused = other.update(&ann).await;
    assert!(matches!(refused, Err(Error::Conflict { expected: 1, found: 2.. })), "{refused:?}");
    let refused = other.update(&admin("nobody")).await;
    assert!(matches!(refused, Err(Error::Conflict { found: 0, .. })), "{refused:?}");
}

async fn the_last_owner_stays_whoever_writes_at_the_same_time(one: &Store, other: &Store) {
    let (one, other) = (one.admins(), other.admins());
    let owner = |name| Admin { role: Role::Owner, ..admin(name) };
    let (mut ann, mut bob) = (owner("ann"), owner("bob"));
    one.insert(&ann).await.unwrap();
    let refused = one.update(&Admin { disabled: true, ..ann.clone() }).await;
    assert!(matches!(&refused, Err(Error::LastOwner { name }) if name == "ann"), "{refused:?}");
    one.insert(&bob).await.unwrap();
    one.insert(&admin("eve")).await.unwrap();
    for _ in 0..5 {
        let steps = [Admin { role: Role::Viewer, ..ann.clone() }, Admin { disabled: true, ..bob.clone() }];
        let raced = tokio::join!(one.update(&steps[0]), other.update(&steps[1]));
        let refused: Vec<_> =
            [&raced.0, &raced.1].into_iter().filter_map(|done| done.as_ref().err()).collect();
        assert!(matches!(refused[..], [Error::LastOwner { .. }]), "{raced:?}");
        for admin in one.list().await.unwrap().into_iter().filter(|admin| admin.name != "eve") {
            let again = Admin { role: Role::Owner, disabled: false, ..admin };
            let version = one.update(&again).await.unwrap();
            let again = Admin { version, ..again };
            if again.name == "ann" { ann = again } else { bob = again }
        }
    }
    // What leaves an owner is written as before.
    ann.version = one.update(&Admin { role: Role::Operator, ..ann.clone() }).await.unwrap();
    ann.role = Role::Operator;
    ann.disabled = true;
    one.update(&ann).await.unwrap();
}

fn session(number: u8, admin: Uuid) -> Session {
    Session {
        digest: [number; 32],
        admin,
        created_at: i64::from(number),
        expires_at: 100 + i64::from(number),
        last_seen_at: 50,
        address: "2001:db8::1".into(),
        user_agent: "Mozilla/5.0 \"x\"\n🦊".into(),
    }
}

async fn a_session_is_kept_until_it_is_revoked(one: &Store, other: &Store) {
    let (one, other) = (one.sessions(), other.sessions());
    let mut kept = session(1, Uuid::now_v7());
    one.insert(&kept).await.unwrap();
    assert!(matches!(other.insert(&kept).await, Err(Error::Taken { .. })));
    assert_eq!(other.get(&kept.digest).await.unwrap(), Some(kept.clone()));
    (kept.last_seen_at, kept.expires_at) = (60, 200);
    assert!(other.seen(&kept.digest, 60, 200).await.unwrap());
    assert_eq!(one.get(&kept.digest).await.unwrap(), Some(kept.clone()));
    assert!(one.revoke(&kept.digest).await.unwrap() && !other.revoke(&kept.digest).await.unwrap());
    assert_eq!(other.get(&kept.digest).await.unwrap(), None);
    assert!(!other.seen(&kept.digest, 70, 300).await.unwrap(), "a revoked one does not come back");
    assert_eq!(other.get(&kept.digest).await.unwrap(), None);
}

async fn all_sessions_of_an_admin_end_at_once(one: &Store, other: &Store) {
    let (one, other) = (one.sessions(), other.sessions());
    let (ann, bob) = (Uuid::now_v7(), Uuid::now_v7());
    for session in [session(1, ann), session(2, ann), session(3, bob)] {
        one.insert(&session).await.unwrap();
    }
    assert_eq!(other.of(ann).await.unwrap(), [session(2, ann), session(1, ann)]);
    assert_eq!((other.revoke_all(ann).await.unwrap(), other.revoke_all(ann).await.unwrap()), (2, 0));
    assert!(one.of(ann).await.unwrap().is_empty());
    assert_eq!(one.of(bob).await.unwrap(), [session(3, bob)]);
}

async fn expired_sessions_are_purged(one: &Store, other: &Store) {
    let (one, other) = (one.sessions(), other.sessions());
    let ann = Uuid::now_v7();
    for number in 1..=4 {
        one.insert(&session(number, ann)).await.unwrap();
    }
    one.seen(&[1; 32], 60, 500).await.unwrap();
    assert_eq!((other.purge(103).await.unwrap(), other.purge(103).await.unwrap()), (1, 0));
    let left: Vec<_> = other.of(ann).await.unwrap().iter().map(|session| session.digest[0]).collect();
    assert_eq!(left, [4, 3, 1]);
}

async fn actions_are_paged_from_the_newest(one: &Store, other: &Store) {
    let (one, other) = (one.actions(), other.actions());
    assert!(one.page(None, 5).await.unwrap().is_empty());
    let mut all = Vec::new();
    for number in 0..5 {
        let action = Action {
            id: Uuid::now_v7(),
            at: number,
            actor: "zoé".into(),
            what: "client_key.update".into(),
            target: number.to_string(),
            before: if number == 0 { Value::Null } else { json!({"name": "a \"b\"", "n": [1, 2.5]}) },
            after: json!({"name": "🔑"}),
        };
        one.append(&action).await.unwrap();
        all.insert(0, action);
    }
    assert_eq!(other.page(None, 2).await.unwrap(), all[..2]);
    assert_eq!(other.page(Some(all[1].id), 2).await.unwrap(), all[2..4]);
    assert_eq!(other.page(Some(all[3].id), 9).await.unwrap(), all[4..]);
}
