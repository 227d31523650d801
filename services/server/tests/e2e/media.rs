//! Images and videos: drawn, attached, fetched once, served.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Product, Shape};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

/// A streamed chat with an inline image.
pub fn with_image(text: &str) -> Value {
    let url = format!("data:image/png;base64,{}", STANDARD.encode(PNG));
    json!({"model": "grok-3-fast", "stream": true, "messages": [{"role": "user", "content": [
        {"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]}]})
}

/// The links in a text, relative to the product.
fn links(text: &str, base: &str) -> Vec<String> {
    let ends = |c: char| matches!(c, ')' | '"' | ' ' | '\\');
    text.split(base).skip(1).map(|rest| rest.split(ends).next().unwrap_or_default().to_owned()).collect()
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn drawn_images_are_served_by_us(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let answer = product.ask("grok-3-fast", "draw a moon").await;
    let links = links(&answer.content(), &product.base);
    assert_eq!(links.len(), 2, "{}", answer.text);
    assert!(!answer.text.contains("assets.grok.com") && !answer.text.contains("/users/"));
    for link in &links {
        let image = product.http.get(format!("{}{link}", product.base)).send().await.unwrap();
        assert_eq!(
            (image.status().as_u16(), image.headers()["content-type"].to_str().unwrap()),
            (200, "image/jpeg")
        );
        let etag = image.headers()["etag"].clone();
        assert!(image.bytes().await.unwrap().starts_with(b"\xff\xd8\xff"));
        let again = product
            .http
            .get(format!("{}{link}", product.base))
            .header("if-none-match", etag)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), 304);
    }
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn images_are_drawn_and_edited_on_request(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let asked = json!({"prompt": "a moon", "n": 2, "size": "1024x1536"});
    let drawn = product.post("/v1/images/generations", asked.to_string()).await;
    let data = drawn.json()["data"].as_array().unwrap_or_else(|| panic!("{}", drawn.text)).clone();
    assert_eq!(data.len(), 2);
    for image in data {
        let image = product.http.get(image["url"].as_str().unwrap()).send().await.unwrap();
        assert!(image.bytes().await.unwrap().starts_with(b"\xff\xd8\xff"));
    }
    let bodies: Vec<String> = product
        .sim
        .requests()
        .into_iter()
        .filter_map(|request| Some(request.body?.get().to_owned()))
        .collect();
    let asked = |body: &String| body.contains("Aspect ratio 2:3") && body.contains("\"imageGen\":true");
    assert!(bodies.iter().any(asked), "{bodies:?}");

    let form = reqwest::multipart::Form::new()
        .text("prompt", "a hat")
        .text("stream", "true")
        .text("partial_images", "1");
    let png = reqwest::multipart::Part::bytes(PNG).file_name("a.png").mime_str("image/png").unwrap();
    let edit =
        product.http.post(format!("{}/v1/images/edits", product.base)).multipart(form.part("image", png));
    let events = edit.send().await.unwrap().text().await.unwrap();
    let order: Vec<&str> = events.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(order, ["image_edit.partial_image", "image_edit.completed"], "{events}");
    product.stop().await;
}

#[tokio::test]
async fn images_come_inline_when_the_operator_wants_base64() {
    let product = Product::start().await;
    product.set(&[("image_mode", json!("base64"))]).await;
    let whole = product.ask("grok-3-fast", "draw a moon").await.content();
    let streamed = product.stream("grok-3-fast", "draw a moon").await.ok().unwrap();
    for content in [&whole, &streamed.content] {
        let images: Vec<&str> = content
            .split("](data:image/jpeg;base64,")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
            .collect();
        assert_eq!(images.len(), 2, "{}", &content[..200]);
        for image in images {
            assert!(STANDARD.decode(image).unwrap().starts_with(b"\xff\xd8\xff"));
        }
    }
    let longest = streamed
        .chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .map(str::len)
        .max();
    assert!(longest.unwrap() <= 9000, "a chunk of {longest:?} bytes");
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn a_video_is_made_from_an_image_and_can_be_sought(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let mut body = with_image("让太阳升起来");
    body["model"] = json!("grok-imagine-0.9");
    body["stream"] = json!(false);
    let answer = product.chat(&body).await;
    let content = answer.content();
    assert!(content.contains("controls=\"controls\"></video>"), "{}", answer.text);
    assert!(
        answer.json()["choices"][0]["message"]["reasoning_content"]
            .as_str()
            .unwrap()
            .contains("视频已生成100%")
    );
    let link = links(&content, &product.base).remove(0);
    let part = product
        .http
        .get(format!("{}{link}", product.base))
        .header("range", "bytes=4-11")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-type"], "video/mp4");
    assert!(part.headers()["content-range"].to_str().unwrap().starts_with("bytes 4-11/"));
    assert_eq!(
        part.bytes().await.unwrap().as_ref(),
        &b"ftyp"[..].iter().copied().chain(*b"isom").collect::<Vec<u8>>()[..]
    );
    let beyond = product
        .http
        .get(format!("{}{link}", product.base))
        .header("range", "bytes=99999999-")
        .send()
        .await
        .unwrap();
    assert_eq!(beyond.status(), 416);
    product.stop().await;
}

#[tokio::test]
async fn an_attached_image_reaches_the_upstream() {
    let product = Product::start().await;
    let mut body = with_image("what is this?");
    body["stream"] = json!(false);
    let answer = product.chat(&body).await.content();
    assert!(answer.contains("1 attachment") && answer.contains("image/png"), "{answer}");
    product.stop().await;
}

#[rstest]
#[case("http://127.0.0.1:1/x.png", 400, "forbidden_url")]
#[case("http://169.254.169.254/latest/meta-data", 400, "forbidden_url")]
#[case("ftp://example.com/x.png", 400, "invalid_value")]
#[case("data:image/png;base64,????", 400, "invalid_value")]
#[case("data:image/svg+xml;base64,PHN2Zy8+", 415, "unsupported_image")]
#[tokio::test]
async fn an_image_that_cannot_be_used_is_a_clear_error(
    #[case] url: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let product = Product::start().await;
    let body = json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": url}}]}]});
    let answer = product.chat(&body).await;
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text);
    let param = answer.json()["error"]["param"].as_str().unwrap_or_default().to_owned();
    assert!(param.starts_with("messages[0].content[1].image_url"), "{param}");
    product.stop().await;
}

#[tokio::test]
async fn names_that_leave_the_cache_are_not_found() {
    let product = Product::start().await;
    for path in [
        "/images/..%2f..%2fgrok2api.db",
        "/images/%2e%2e/grok2api.db",
        "/videos/.hidden",
        "/images/nothing.jpg",
        "/images/a%00b",
    ] {
        let answer = product.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
    product.stop().await;
}

/// The video as soon as it has ended.
async fn ended(product: &Product, id: &str) -> Value {
    loop {
        let video = product.get(&format!("/v1/videos/{id}")).await.json();
        if !matches!(video["status"].as_str(), Some("queued" | "in_progress")) {
            return video;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn videos_are_made_behind_the_request(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let asked = json!({"prompt": "the sun rises", "seconds": "4"}).to_string();
    let video = product.post("/v1/videos", asked).await;
    assert_eq!(video.status, 200, "{}", video.text);
    let id = video.json()["id"].as_str().unwrap().to_owned();
    let done = ended(&product, &id).await;
    assert_eq!((&done["status"], &done["progress"]), (&json!("completed"), &json!(100)), "{done}");
    let content = format!("{}/v1/videos/{id}/content", product.base);
    let whole = product.http.get(&content).send().await.unwrap();
    assert_eq!(whole.headers()["content-type"], "video/mp4");
    let whole = whole.bytes().await.unwrap();
    let part = product.http.get(&content).header("range", "bytes=4-7").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap()), (206, whole.slice(4..8)));
    assert_eq!(product.get("/v1/videos").await.json()["data"][0], done);
    let failing = json!({"prompt": "[[sim:fault=200-empty-body]]x"}).to_string();
    let failing = product.post("/v1/videos", failing).await.json();
    let failed = ended(&product, failing["id"].as_str().unwrap()).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("upstream_video_missing"))
    );
    let gone = product.http.delete(format!("{}/v1/videos/{id}", product.base)).send().await.unwrap();
    assert_eq!(gone.status(), 200);
    assert_eq!(product.get(&format!("/v1/videos/{id}")).await.status, 404);
    product.stop().await;
}

#[tokio::test]
async fn videos_survive_a_restart() {
    let product = Product::start().await;
    let video = product.post("/v1/videos", json!({"prompt": "the sun rises"}).to_string()).await.json();
    let id = video["id"].as_str().unwrap().to_owned();
    let done = ended(&product, &id).await;
    let product = product.restart().await;
    assert_eq!(product.get(&format!("/v1/videos/{id}")).await.json(), done);
    assert_eq!(product.get(&format!("/v1/videos/{id}/content")).await.status, 200);
    product.stop().await;
}
