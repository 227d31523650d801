use bytes::Bytes;
use grok2api_proto::chat::{Attachment, attachment::Source};
use rstest::rstest;
use serde_json::json;

use super::*;

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn generation(fields: &Value) -> Result<Images> {
    let mut request = json!({"prompt": "a moon"});
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Images::generation(request.to_string().as_bytes())
}

fn edit(fields: &Value) -> Result<Images> {
    let mut request = json!({"prompt": "a hat"});
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Images::edit(request.to_string().as_bytes())
}

fn attached(part: &Part) -> &Attachment {
    match &part.kind {
        Some(part::Kind::Attachment(attachment)) => attachment,
        other => panic!("{other:?} is no attachment"),
    }
}

#[test]
fn a_prompt_is_enough() {
    let expected = Images {
        model: "grok-3-fast".into(),
        prompt: "a moon".into(),
        count: 1,
        size: Size::Auto,
        base64: false,
        stream: false,
        previews: 0,
        inputs: Vec::new(),
    };
    assert_eq!(
        generation(&json!({"n": null, "size": null, "response_format": null, "user": "u"})),
        Ok(expected)
    );
}

#[rstest]
#[case("auto", Size::Auto, "")]
#[case("256x256", Size::Square, "1:1")]
#[case("1792x1024", Size::Landscape, "3:2")]
#[case("1024x1536", Size::Portrait, "2:3")]
fn a_size_is_told_as_a_shape(#[case] size: &str, #[case] shape: Size, #[case] ratio: &str) {
    let images = generation(&json!({"size": size, "n": 3, "stream": true, "partial_images": 2})).unwrap();
    assert_eq!(images.size, shape);
    let request = images.into_request("turn".into());
    let expected = Drawing { count: 3, aspect_ratio: ratio.into(), previews: true };
    assert_eq!(request.drawing, Some(expected));
}

#[rstest]
#[case(json!({"prompt": null}), "prompt", "missing_required_parameter")]
#[case(json!({"prompt": " "}), "prompt", "invalid_value")]
#[case(json!({"prompt": 1}), "prompt", "invalid_type")]
#[case(json!({"prompt": "x".repeat(32_001)}), "prompt", "invalid_value")]
#[case(json!({"n": 0}), "n", "invalid_value")]
#[case(json!({"n": 11}), "n", "invalid_value")]
#[case(json!({"n": "2"}), "n", "invalid_type")]
#[case(json!({"size": "big"}), "size", "invalid_value")]
#[case(json!({"size": "0x5"}), "size", "invalid_value")]
#[case(json!({"size": 1024}), "size", "invalid_type")]
#[case(json!({"response_format": "png"}), "response_format", "invalid_value")]
#[case(json!({"partial_images": 4}), "partial_images", "invalid_value")]
#[case(json!({"quality": 1}), "quality", "invalid_type")]
#[case(json!({"quality": "best"}), "quality", "invalid_value")]
#[case(json!({"output_format": "gif"}), "output_format", "invalid_value")]
#[case(json!({"background": "transparent"}), "background", "unsupported_parameter")]
#[case(json!({"stream": "yes"}), "stream", "invalid_type")]
fn a_wrong_generation_is_refused_by_name(#[case] fields: Value, #[case] param: &str, #[case] code: &str) {
    let error = generation(&fields).unwrap_err();
    assert_eq!((error.param.as_deref(), error.code.as_ref()), (Some(param), code));
}

#[rstest]
#[case::string(json!({"image": format!("data:image/png;base64,{PNG}")}), &["image"])]
#[case::list(json!({"image": ["https://a.example/1.png", "https://a.example/2.png"]}), &["image[0]", "image[1]"])]
#[case::references(json!({"images": [{"image_url": "https://a.example/1.png"}]}), &["images[0].image_url"])]
fn an_edit_holds_its_images(#[case] fields: Value, #[case] params: &[&str]) {
    let images = edit(&fields).unwrap();
    let found: Vec<&str> = images.inputs.iter().map(|part| attached(part).param.as_str()).collect();
    assert_eq!(found, params);
    assert_eq!(images.into_request("turn".into()).messages[0].parts.len(), 1 + params.len());
}

#[rstest]
#[case(json!({}), "image", "missing_required_parameter")]
#[case(json!({"image": 5}), "image", "invalid_type")]
#[case(json!({"image": []}), "image", "missing_required_parameter")]
#[case(json!({"images": [{"file_id": "f"}]}), "images[0].file_id", "unsupported_parameter")]
#[case(json!({"images": [{}]}), "images[0].image_url", "missing_required_parameter")]
#[case(json!({"image": "https://a.example/1.png", "mask": {"image_url": "x"}}), "mask", "unsupported_parameter")]
fn a_wrong_edit_is_refused_by_name(#[case] fields: Value, #[case] param: &str, #[case] code: &str) {
    let error = edit(&fields).unwrap_err();
    assert_eq!((error.param.as_deref(), error.code.as_ref()), (Some(param), code));
}

fn form(entries: &[(&str, Option<&str>, &'static [u8])]) -> Result<Images> {
    let mut form = Form::default();
    for (name, file_name, data) in entries {
        form.entry(name, *file_name, "image/png", Bytes::from_static(data))?;
    }
    Images::edit_form(form)
}

#[test]
fn a_form_says_what_json_says() {
    let images = form(&[
        ("prompt", None, b"a hat"),
        ("n", None, b"2"),
        ("stream", None, b"true"),
        ("size", None, b"1024x1024"),
        ("image[]", Some("a.png"), b"one"),
        ("image[]", Some("b.png"), b"two"),
    ])
    .unwrap();
    assert_eq!((images.count, images.stream, images.size), (2, true, Size::Square));
    let second = attached(&images.inputs[1]);
    assert_eq!(second.source, Some(Source::Data(Bytes::from_static(b"two"))));
    assert_eq!((second.file_name.as_str(), second.param.as_str()), ("b.png", "image[]"));
}

#[rstest]
#[case(&[("prompt", None, &b"a hat"[..])], "image", "missing_required_parameter")]
#[case(&[("image", Some("a.png"), &b"one"[..])], "prompt", "missing_required_parameter")]
#[case(&[("prompt", None, &b"x"[..]), ("n", None, &b"two"[..]), ("image", Some("a.png"), &b"one"[..])], "n", "invalid_type")]
#[case(&[("prompt", None, &b"\xff"[..])], "prompt", "invalid_value")]
#[case(&[("prompt", None, &b"x"[..]), ("mask", Some("m.png"), &b"m"[..]), ("image", Some("a.png"), &b"one"[..])], "mask", "unsupported_parameter")]
fn a_wrong_form_is_refused_by_name(
    #[case] entries: &[(&str, Option<&str>, &'static [u8])],
    #[case] param: &str,
    #[case] code: &str,
) {
    let error = form(entries).unwrap_err();
    assert_eq!((error.param.as_deref(), error.code.as_ref()), (Some(param), code));
}
