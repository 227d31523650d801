//! Changes that are cut short: by a client that leaves. What was done is in the log of actions.

use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::start;
use crate::support::Shape;

const MANY: usize = 4000;

#[tokio::test]
async fn a_client_that_leaves_tears_no_change_from_its_log() {
    let (product, owner) = start(Shape::Whole, &[]).await;
    let tokens: Vec<String> = (0..MANY).map(|number| format!("sim-basic-{number:05}")).collect();
    let body = json!({"tokens": tokens, "token_type": "sso"}).to_string();
    let host = product.base.trim_start_matches("http://");
    let head = format!(
        "POST /api/tokens/add HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        owner.token,
        body.len()
    );
    let mut client = TcpStream::connect(host).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(body.as_bytes()).await.unwrap();
    client.flush().await.unwrap();
    // It has begun, and its client goes.
    while owner.get("/api/accounts?limit=1").await["total"] == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);

    let logged = loop {
        let log = owner.get("/api/actions").await;
        let found =
            log["items"].as_array().unwrap().iter().find(|item| item["what"] == "account.add").cloned();
        if let Some(found) = found {
            break found;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((&logged["target"], &logged["after"]["added"]), (&json!(MANY.to_string()), &json!(MANY)));
    assert_eq!(logged["before"], json!({"accounts": 0}));
    assert_eq!(owner.get("/api/accounts?limit=1").await["total"], MANY);
    product.stop().await;
}
