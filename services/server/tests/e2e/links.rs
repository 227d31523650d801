//! Links to media that are signed, through the whole product.

use grok2api_kit::settings::Mode;
use grok2api_testkit::Backing;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::{
    admin,
    support::{Answer, Product, Shape},
};

const SECRET: &str = "the secret of the links";

/// The links in a text, without what they begin with.
fn links(text: &str, base: &str) -> Vec<String> {
    let ends = |c: char| matches!(c, ')' | '"' | '\\');
    text.split(base).skip(1).map(|rest| rest.split(ends).next().unwrap_or_default().to_owned()).collect()
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn a_link_opens_for_its_holder_and_for_admins(#[case] shape: Shape) {
    let (product, owner) = admin::start(shape, &["sim-basic-1", "sim-basic-2"]).await;
    product.set(&[("link_secret", json!(SECRET))]).await;
    let drawn = product.ask("grok-3-fast", "draw a moon").await;
    let mut links = links(&drawn.content(), &product.base);
    assert_eq!(links.len(), 2, "{}", drawn.text);
    let listed = owner.get("/api/media?kind=image").await;
    links.extend(
        listed["items"].as_array().unwrap().iter().map(|item| item["url"].as_str().unwrap().to_owned()),
    );
    assert_eq!(links.len(), 4, "{listed}");
    for link in &links {
        let image = product.get(link).await;
        assert_eq!(image.status, 200, "{link}: {}", image.text);
        assert!(image.header("cache-control").starts_with("private, max-age="));
        let bare = link.split('?').next().unwrap();
        let refused = product.get(bare).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "link_not_signed"));
        let seen = product.send_with(&owner.token, Method::GET, bare, None).await;
        assert_eq!((seen.status, seen.header("cache-control")), (200, "private, no-cache"));
        let nobody = product.send_with("no-session", Method::GET, bare, None).await;
        assert_eq!(nobody.status, 403);
    }
    let played = owner.post("/api/playground/chat/completions", &chat("draw a moon")).await.to_string();
    assert!(played.contains("?signature="), "{played}");
    product.set(&[("link_secret", json!("another secret of the links"))]).await;
    assert_eq!(product.get(&links[0]).await.code(), "link_not_signed");
    product.stop().await;
}

fn chat(text: &str) -> serde_json::Value {
    json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": text}]})
}

#[tokio::test]
async fn a_link_of_one_replica_opens_at_another() {
    let tokens = ["sim-basic-1", "sim-basic-2"];
    let product = Product::on_store(Shape::Whole, &tokens, Backing::start(Mode::Redis)).await;
    let media = [("G2A_MEDIA_URL", format!("file://{}", product.data.path().join("shared").display()))];
    let replicas = [product.replica(&media).await, product.replica(&media).await];
    product.set(&[("link_secret", json!(SECRET)), ("base_url", json!("https://g.example"))]).await;
    let base = |at: usize| format!("http://{}", replicas[at].addresses.http.unwrap());
    for replica in &replicas {
        let mut runtime = replica.services.runtime.clone();
        while runtime.current().config.link_secret != SECRET {
            runtime.changed().await;
        }
    }
    let drawn = product.http.post(format!("{}/v1/chat/completions", base(0)));
    let drawn = Answer::of(drawn.body(chat("draw a moon").to_string()).send().await.unwrap()).await;
    let links = links(&drawn.content(), "https://g.example");
    assert_eq!(links.len(), 2, "{}", drawn.text);
    for link in links {
        let get = |link: &str| product.http.get(format!("{}{link}", base(1))).send();
        assert_eq!(get(&link).await.unwrap().status(), 200, "{link}");
        assert_eq!(get(link.split('?').next().unwrap()).await.unwrap().status(), 403);
    }
    for replica in &replicas {
        replica.stop().await;
    }
    product.stop().await;
}
