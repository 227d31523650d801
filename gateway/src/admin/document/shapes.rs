//! What queries and bodies of the admin API hold, as schemas. `shapes.json` says it in short, so that a route is a few lines:
//!
//! - `{"name": shape, "other?": shape}` is an object, whose second field may be missing; `{"*": shape}` one whose fields have
//!   any name; `{"|": [shape, shape]}` is one of several.
//! - `[shape]` is a list. `"string"`, `"integer"`, `"number"`, `"boolean"`, `"null"` and `"any"` are what they say, `"a|b"` is
//!   one of these words (`"a|"` that word), and a name refers to a shape of `taken` or `given`.
//! - `?` behind any of them: or `null`.
//!
//! What is taken holds nothing else, since an unknown field is refused; what is given may grow.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use utoipa::openapi::{
    ArrayBuilder, ObjectBuilder, Ref, RefOr, Required, Schema, Type,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{AdditionalProperties, AnyOfBuilder, SchemaType},
};

use super::super::routes::Told;
use crate::{
    openai::request::options::schema::{nothing, of, or_null},
    openapi::words::one_of,
};

/// Names of schemas are shared with the API of clients.
const PREFIX: &str = "Admin";

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| serde_json::from_str(include_str!("shapes.json")).unwrap_or_default());

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shapes {
    taken: BTreeMap<String, Shape>,
    given: BTreeMap<String, Shape>,
    routes: BTreeMap<String, Route>,
}

/// What a route takes and gives; nothing where that is no JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    #[serde(default)]
    query: BTreeMap<String, Shape>,
    takes: Option<Shape>,
    gives: Option<Shape>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Word(String),
    List([Box<Shape>; 1]),
    Any(Several),
    Object(BTreeMap<String, Shape>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    #[serde(rename = "|")]
    shapes: Vec<Shape>,
}

/// That of a route.
pub(super) fn route(told: &Told) -> Option<&'static Route> {
    SHAPES.routes.get(&format!("{} {}", told.method, told.path))
}

/// What routes refer to.
pub(super) fn named() -> impl Iterator<Item = (String, RefOr<Schema>)> {
    let named = |(name, shape): (&String, &Shape), closed| (format!("{PREFIX}{name}"), shape.schema(closed));
    let taken = SHAPES.taken.iter().map(move |one| named(one, true));
    taken.chain(SHAPES.given.iter().map(move |one| named(one, false)))
}

impl Route {
    pub(super) fn takes(&self) -> Option<RefOr<Schema>> {
        self.takes.as_ref().map(|shape| shape.schema(true))
    }

    pub(super) fn gives(&self) -> Option<RefOr<Schema>> {
        self.gives.as_ref().map(|shape| shape.schema(false))
    }

    pub(super) fn query(&self) -> impl Iterator<Item = Parameter> + '_ {
        self.query.iter().map(|(name, shape)| {
            let (name, required) = required(name);
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(if required { Required::True } else { Required::False })
                .schema(Some(shape.schema(true)))
                .build()
        })
    }
}

impl Shape {
    fn schema(&self, closed: bool) -> RefOr<Schema> {
        match self {
            Self::Word(word) => of_word(word),
            Self::List([each]) => ArrayBuilder::new().items(each.schema(closed)).into(),
            Self::Any(Several { shapes }) => any_of(shapes.iter().map(|shape| shape.schema(closed))),
            Self::Object(fields) => object(fields, closed),
        }
    }
}

fn object(fields: &BTreeMap<String, Shape>, closed: bool) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().schema_type(Type::Object);
    if closed {
        object = object.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    }
    for (name, shape) in fields {
        let schema = shape.schema(closed);
        object = match required(name) {
            ("*", _) => object.additional_properties(Some(schema)),
            (name, true) => object.property(name, schema).required(name),
            (name, false) => object.property(name, schema),
        };
    }
    object.into()
}

/// A field's name, and whether it must be there.
fn required(name: &str) -> (&str, bool) {
    name.strip_suffix('?').map_or((name, true), |name| (name, false))
}

fn of_word(word: &str) -> RefOr<Schema> {
    if let Some(word) = word.strip_suffix('?') {
        return match of_word(word) {
            RefOr::T(schema) => or_null(schema).into(),
            reference => any_of([reference, nothing().into()]),
        };
    }
    match word {
        "string" => of(Type::String).into(),
        "integer" => of(Type::Integer).into(),
        "number" => of(Type::Number).into(),
        "boolean" => of(Type::Boolean).into(),
        "null" => nothing().into(),
        "any" => ObjectBuilder::new().schema_type(SchemaType::AnyValue).into(),
        words if words.contains('|') => {
            let words: Vec<&str> = words.split('|').filter(|word| !word.is_empty()).collect();
            Schema::from(one_of(&words)).into()
        }
        name => Ref::from_schema_name(format!("{PREFIX}{name}")).into(),
    }
}

fn any_of(schemas: impl IntoIterator<Item = RefOr<Schema>>) -> RefOr<Schema> {
    let any = schemas.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
    // Without a type of its own it would say that it is an object.
    Schema::from(any.schema_type(SchemaType::AnyValue)).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::super::routes::TABLE, *};

    #[test]
    fn every_route_has_a_shape_and_every_shape_a_route() {
        let shapes: Shapes = serde_json::from_str(include_str!("shapes.json")).unwrap();
        let told: BTreeSet<String> =
            TABLE.iter().map(|told| format!("{} {}", told.method, told.path)).collect();
        assert_eq!(told, shapes.routes.into_keys().collect());
    }

    #[test]
    fn what_is_referred_to_is_there() {
        let mut api = crate::openapi::base();
        super::super::add(&mut api);
        let document = serde_json::to_value(&api).unwrap();
        let text = document.to_string();
        let names = text.split("#/components/schemas/Admin").skip(1);
        let names: BTreeSet<&str> = names.map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(names.contains("Account") && names.contains("Spec"), "{names:?}");
        for name in names {
            assert!(document["components"]["schemas"][format!("Admin{name}")].is_object(), "{name}");
        }
    }

    #[test]
    fn shapes_are_read_as_they_are_meant() {
        let shape: Shape = serde_json::from_str(
            r#"{"a": "integer?", "b?": ["Tier"], "c": {"*": "x|y"}, "d": {"|": ["Tier?", "z|"]}}"#,
        )
        .unwrap();
        insta::assert_json_snapshot!(shape.schema(true));
    }
}
