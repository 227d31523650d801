//! Accounts: import, lists, changes of many, undo, export, explanation.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::{keys, start};
use crate::support::Shape;

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn accounts_are_imported_listed_changed_deleted_and_brought_back(#[case] shape: Shape) {
    let (product, owner) = start(shape, &[]).await;
    let mut text: Vec<String> = (0..1200).map(|number| format!("sim-basic-{number:04}")).collect();
    text.extend(["nöt-ä-tökën".to_owned(), "sim-basic-0007".to_owned()]);
    let import = json!({"text": text.join("\n"), "tags": ["spring"], "note": "batch"});
    let foreseen = owner.work("/api/accounts/import", &json!({"text": "sim-basic-x", "dry_run": true})).await;
    assert_eq!(foreseen.last().unwrap()["added"], 1);
    assert_eq!(owner.get("/api/accounts").await["total"], 0, "a dry run adds nothing");
    let lines = owner.work("/api/accounts/import", &import).await;
    assert!(lines.len() > 2, "progress on the way");
    let expected =
        json!({"type": "result", "done": 1202, "total": 1202, "added": 1200, "merged": 1, "refused": 1});
    assert_eq!(lines.last(), Some(&expected));
    let reports: Vec<&Value> = lines.iter().filter_map(|line| line["reports"].as_array()).flatten().collect();
    assert_eq!(
        (reports.len(), &reports[1200]["line"], &reports[1200]["result"]),
        (1202, &json!(1201), &json!("refused"))
    );

    let page =
        owner.get("/api/accounts?search=BATCH&tier=basic,super&tag=spring&sort=note&order=asc&limit=3").await;
    let fields =
        ["items", "matching", "next_cursor", "quotas", "statuses", "tags", "tiers", "total", "unused"];
    assert_eq!(
        (keys(&page), &page["matching"], &page["total"]),
        (fields.to_vec(), &json!(1200), &json!(1200))
    );
    assert_eq!(
        (&page["statuses"], &page["tags"]),
        (&json!({"active": 1200}), &json!([{"name": "spring", "accounts": 1200}]))
    );
    let fields = [
        "cause",
        "created_at",
        "enabled",
        "id",
        "in_flight",
        "last_used_at",
        "note",
        "priority",
        "status",
        "tags",
        "tier",
        "token",
        "until",
        "user_id",
        "windows",
    ];
    assert_eq!(keys(&page["items"][0]), fields);
    assert!(!page.to_string().contains("sim-basic-0000"), "tokens are masked");
    let next = format!(
        "/api/accounts?search=BATCH&tier=basic,super&tag=spring&sort=note&order=asc&limit=3&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    assert_ne!(owner.get(&next).await["items"][0]["id"], page["items"][2]["id"]);

    let id = page["items"][0]["id"].as_str().unwrap();
    let change =
        json!({"note": "<img src=x onerror=alert(1)>", "priority": 3, "add_tags": ["vip"], "enabled": false});
    let changed = owner.send(Method::PATCH, &format!("/api/accounts/{id}"), Some(&change)).await.json();
    assert_eq!((&changed["status"], &changed["tags"]), (&json!("disabled"), &json!(["spring", "vip"])));
    let one = owner.get(&format!("/api/accounts/{id}")).await;
    assert_eq!((&one["failures"], &one["usage"]["requests"]), (&json!([]), &json!(0)));
    let answer = owner.send(Method::GET, &format!("/api/accounts/{id}"), None).await;
    assert_eq!(answer.header("content-type"), "application/json", "no page is made of a note");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");

    let all = json!({"search": "", "tag": ["spring"]});
    let lines = owner.work("/api/accounts/bulk", &json!({"action": "disable", "filter": all})).await;
    let result = lines.last().unwrap();
    assert_eq!(
        (&result["done"], &result["changed"], &result["failed"]),
        (&json!(1200), &json!(1200), &json!([]))
    );
    assert_eq!(lines[0], json!({"type": "progress", "done": 100, "total": 1200}));
    assert_eq!(owner.get("/api/accounts?status=disabled").await["matching"], 1200);
    let change =
        json!({"action": "change", "ids": [id], "change": {"tier": "super", "remove_tags": ["vip"]}});
    assert_eq!(owner.work("/api/accounts/bulk", &change).await.last().unwrap()["changed"], 1);
    let unknown = "01a20a21-aa8c-75c6-b893-981b0ee758d5";
    let clear = json!({"action": "enable", "ids": [id, unknown]});
    let result = owner.work("/api/accounts/bulk", &clear).await.pop().unwrap();
    assert_eq!((&result["changed"], &result["failed"][0]["id"]), (&json!(1), &json!(unknown)));

    let delete = json!({"action": "delete", "filter": {"tier": ["basic"]}});
    let mut lines = owner.work("/api/accounts/bulk", &delete).await;
    let result = lines.pop().unwrap();
    assert_eq!(
        (&result["changed"], owner.get("/api/accounts").await["total"].as_u64()),
        (&json!(1199), Some(1))
    );
    let told: usize = lines
        .iter()
        .filter(|line| line["type"] == "progress")
        .map(|line| line["deleted"].as_array().unwrap().len())
        .sum();
    assert_eq!(told, 1199, "an undo needs no end");
    let gone = owner.get("/api/accounts/deleted").await;
    assert_eq!((&gone["total"], gone["items"].as_array().unwrap().len()), (&json!(1199), 500));
    assert_eq!(keys(&gone["items"][0]), ["deleted_at", "id", "note", "tags", "tier", "token"]);
    let back = owner.post("/api/accounts/restore", &json!({"ids": result["deleted"]})).await;
    assert_eq!(back, json!({"restored": 1199, "unknown": []}));
    assert_eq!(owner.get("/api/accounts?tag=spring&status=disabled").await["matching"], 1199);
    assert_eq!(owner.get("/api/accounts/deleted").await, json!({"items": [], "total": 0}));

    let actions = owner.actions().await;
    for what in ["account.import", "account.update", "account.bulk", "account.restore"] {
        assert!(actions.contains(&format!("admin {what}")), "{what}: {actions:?}");
    }
    let log = owner.get("/api/actions").await;
    let first = |what: &str, target: &str| {
        let items = log["items"].as_array().unwrap();
        items.iter().find(|item| item["what"] == what && item["target"] == target).unwrap()["before"].clone()
    };
    let deleted = first("account.bulk", "delete");
    assert_eq!((&deleted["of"], &deleted["accounts"][0]["enabled"]), (&json!(1199), &json!(false)));
    assert_eq!(first("account.import", "1202"), json!({"accounts": 0}));
    assert_eq!(first("account.restore", "1199"), json!({"accounts": 1}));
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn full_tokens_leave_by_the_export_only_and_come_back_by_the_import(#[case] shape: Shape) {
    let (product, owner) = start(shape, &["sim-basic-first", "sim-super-second"]).await;
    let export = async |body: Value| {
        let answer = owner.send(Method::POST, "/api/accounts/export", Some(&body)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/jsonl"));
        assert!(answer.header("content-disposition").starts_with("attachment"));
        answer.text
    };
    let some = export(json!({"filter": {"tier": ["super"]}})).await;
    assert!(some.contains("sim-super-second") && !some.contains("sim-basic-first"), "{some}");
    assert_eq!(export(json!({"ids": []})).await, "", "nothing named is not all");
    let all = export(json!({"filter": {}})).await;
    assert_eq!(all.lines().count(), 2);
    let result = owner.work("/api/accounts/import", &json!({"text": all})).await.pop().unwrap();
    assert_eq!((&result["merged"], &result["refused"]), (&json!(2), &json!(0)));
    let actions = owner.get("/api/actions").await;
    let exports: Vec<&Value> =
        actions["items"].as_array().unwrap().iter().filter(|item| item["what"] == "account.export").collect();
    assert_eq!((exports.len(), &exports[0]["after"]), (3, &json!({"accounts": 2})));
    assert!(!actions.to_string().contains("sim-super-second"));
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn it_is_explained_who_would_serve_a_key_and_model(#[case] shape: Shape) {
    let (product, owner) = start(shape, &["sim-basic-1", "sim-super-1"]).await;
    let explained = owner.get("/api/accounts/explain?model=grok-4-heavy").await;
    let fields = [
        "accounts",
        "class",
        "cost",
        "eligible",
        "key_refusal",
        "minimum_tier",
        "model",
        "reasons",
        "refusal",
        "verdicts",
    ];
    assert_eq!(keys(&explained), fields);
    assert_eq!(
        (&explained["class"], &explained["minimum_tier"], &explained["eligible"]),
        (&json!("heavy"), &json!("super"), &json!(1))
    );
    assert_eq!(explained["reasons"], json!([{"reason": "tier_too_low", "accounts": 1}]));
    assert_eq!(
        (&explained["verdicts"][0]["tier"], &explained["verdicts"][0]["reason"]),
        (&json!("super"), &Value::Null)
    );
    assert_eq!(explained["verdicts"][1]["reason"], "tier_too_low");
    let spec = json!({"name": "k", "models": ["grok-3-fast"], "account_tags": ["nobody"]});
    let key = owner.post("/api/keys", &json!({"spec": spec})).await["key"]["id"].as_str().unwrap().to_owned();
    let explained = owner.get(&format!("/api/accounts/explain?model=grok-4-fast&key={key}")).await;
    assert!(explained["key_refusal"].as_str().unwrap().contains("grok-4-fast"));
    assert_eq!(
        (&explained["eligible"], &explained["refusal"]["code"]),
        (&json!(0), &json!("no_account_for_tags"))
    );
    owner.post(&format!("/api/keys/{key}/revoke"), &json!({})).await;
    let explained = owner.get(&format!("/api/accounts/explain?model=grok-3-fast&key={key}")).await;
    assert_eq!(explained["key_refusal"], "the key is revoked");
    product.stop().await;
}

#[tokio::test]
async fn quotas_are_read_on_demand_with_progress() {
    let (product, owner) = start(Shape::Whole, &["sim-basic-1", "sim-basic-2"]).await;
    let lines = owner.work("/api/accounts/bulk", &json!({"action": "refresh", "filter": {}})).await;
    let result = lines.last().unwrap();
    assert_eq!(
        (&result["type"], &result["changed"], &result["done"]),
        (&json!("result"), &json!(2), &json!(2)),
        "{lines:?}"
    );
    let page = owner.get("/api/accounts").await;
    assert_eq!(
        (&page["unused"], &page["quotas"]),
        (&json!(0), &json!([{"class": "normal", "remaining": 160, "accounts": 2}]))
    );
    let window = &page["items"][0]["windows"][0];
    assert_eq!(
        (&window["class"], &window["source"], &window["total"]),
        (&json!("normal"), &json!("upstream"), &json!(80))
    );
    let nothing = owner.work("/api/accounts/bulk", &json!({"action": "refresh", "ids": []})).await;
    assert_eq!(nothing.last().unwrap()["done"], 0, "nothing named is not all");
    product.stop().await;
}
