//! The admin API through the whole product.

mod accounts;
mod document;
mod keys;
mod live;
mod login;
mod many;
mod partial;
mod replay;
mod roles;
mod seed;
mod settings;
mod shared;

use grok2api_testkit::Backing;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::support::{Answer, Product, Shape};

pub const PASSWORD: &str = "correct horse battery";

/// Somebody with a session.
pub struct Admin {
    base: String,
    http: reqwest::Client,
    pub token: String,
}

/// A product whose owner has a password, and the owner.
pub async fn start(shape: Shape, tokens: &[&str]) -> (Product, Admin) {
    start_on(shape, tokens, Backing::File).await
}

pub async fn start_on(shape: Shape, tokens: &[&str], backing: Backing) -> (Product, Admin) {
    let password = [("G2A_ADMIN_PASSWORD", PASSWORD.to_owned())];
    let product = Product::equipped(shape, tokens, backing, &password).await;
    let owner = Admin::login(&product.base, "admin", PASSWORD).await;
    (product, owner)
}

pub fn client() -> reqwest::Client {
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client
}

/// The answer to a login.
pub async fn try_login(base: &str, name: &str, password: &str) -> Answer {
    let body = json!({"username": name, "password": password}).to_string();
    Answer::of(client().post(format!("{base}/api/login")).body(body).send().await.unwrap()).await
}

impl Admin {
    pub async fn login(base: &str, name: &str, password: &str) -> Self {
        let answer = try_login(base, name, password).await;
        let token = answer.json()["token"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
        Self { base: base.to_owned(), http: client(), token }
    }

    /// The same session at another gateway.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), http: self.http.clone(), token: self.token.clone() }
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let answer = Answer::of(self.open(method.clone(), path, body).await).await;
        let json = answer.headers.get("content-type").is_some_and(|kind| kind == "application/json");
        if answer.status == 200 && json && path.starts_with("/api/") && !path.starts_with("/api/playground/")
        {
            let method = method.as_str().to_lowercase();
            document::hold(self.document().await, &method, path, body, &answer.json());
        }
        answer
    }

    /// `/openapi.json`, which is the same everywhere.
    async fn document(&self) -> &'static Value {
        static DOCUMENT: OnceCell<Value> = OnceCell::const_new();
        let read = || async {
            let asked = self.http.get(format!("{}/openapi.json", self.base));
            Answer::of(asked.send().await.unwrap()).await.json()
        };
        DOCUMENT.get_or_init(read).await
    }

    pub async fn open(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Response {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        let body = body.map(Value::to_string).unwrap_or_default();
        request.body(body).send().await.unwrap()
    }

    /// What a route answers with 200.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.send(Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.send(Method::POST, path, Some(body)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// Status and code of a refusal.
    pub async fn refused(&self, method: Method, path: &str, body: &Value) -> (u16, String) {
        let answer = self.send(method, path, Some(body)).await;
        (answer.status, answer.code())
    }

    /// The lines of work with progress; the last one is the result.
    pub async fn work(&self, path: &str, body: &Value) -> Vec<Value> {
        let answer = self.send(Method::POST, path, Some(body)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Adds an admin, and logs in with a password of their own.
    pub async fn colleague(&self, name: &str, role: &str) -> Self {
        let new = json!({"name": name, "role": role, "password": "a password for now"});
        self.post("/api/admins", &new).await;
        let new = Self::login(&self.base, name, "a password for now").await;
        let change = json!({"current_password": "a password for now", "new_password": PASSWORD});
        let token = new.post("/api/password", &change).await["token"].as_str().unwrap().to_owned();
        Self { token, ..new }
    }

    /// The names of what the log of actions holds, the newest first.
    pub async fn actions(&self) -> Vec<String> {
        let items = self.get("/api/actions").await;
        let what =
            |item: &Value| format!("{} {}", item["actor"].as_str().unwrap(), item["what"].as_str().unwrap());
        items["items"].as_array().unwrap().iter().map(what).collect()
    }
}

/// The keys of an object, in order.
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
