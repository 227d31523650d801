//! Web search: the tool card, its results and the citations (reference 3.5, 3.6).

use serde_json::{Value, json};

use super::{Beat, Grain, Plan, Script, compose::Remains};
use crate::models::Era;

const SITES: [(&str, &str, &str); 3] = [
    ("https://example.com/news", "News of the moon", "First line\nsecond line"),
    ("https://example.org/wiki/Moon", "Moon – Example Wiki", "The Moon is round. 月亮是圆的。"),
    ("https://example.net/tides?day=1", "Tides", "High water at \"noon\" <b>today</b>"),
];

/// The call and its results.
pub(super) fn call(plan: &Plan, script: &mut Script, remains: &mut Remains) {
    let query = plan.subject();
    let card = json!({"toolUsageCardId": "search-1", "webSearch": {"args": {"query": query}}});
    let fields = json!({
        "isThinking": true, "messageTag": "tool_usage_card", "messageStepId": 1, "rolloutId": "Grok",
        "toolUsageCardId": "search-1", "toolUsageCard": card,
    });
    let speech = script.lines.aside(&card_token(query), Grain::Whole, fields);
    script.beats.push(Beat::Say(speech));

    let results: Vec<Value> = SITES
        .iter()
        .map(|(url, title, preview)| json!({"url": url, "title": title, "preview": preview}))
        .collect();
    script.respond_paced(json!({
        "token": "", "isThinking": true, "messageStepId": 1, "toolUsageCardId": "search-1",
        "webSearchResults": {"results": results},
    }));
    remains.results = results;
}

/// Cites the first two sites behind the text: the card first, then the token that points at it.
pub(super) fn cite(plan: &Plan, script: &mut Script, remains: &mut Remains) {
    for (index, (url, title, _)) in SITES.iter().take(2).enumerate() {
        let id = format!("cite_{}", index + 1);
        let card =
            json!({"id": id, "type": "render_inline_citation", "cardType": "citation_card", "url": url})
                .to_string();
        script.respond(json!({"cardAttachment": {"jsonData": card}}));
        remains.cards.push(card);
        script.say(&format!(" {title}"), Grain::Words);
        let tag = format!(
            "<grok:render card_id=\"{id}\" card_type=\"citation_card\" type=\"render_inline_citation\">\
             <argument name=\"citation_id\">{index}</argument></grok:render>"
        );
        for _ in 0..=usize::from(plan.cite_twice) {
            script.say(&tag, Grain::Whole);
        }
    }
    if plan.era == Era::E3 {
        // In 2026 sources may ride on a text token.
        script.respond(json!({"token": "", "webSearchResults": {"results": [{"url": SITES[2].0}]}}));
    }
    script.say(" 完.", Grain::Words);
}

fn card_token(query: &str) -> String {
    let args = json!({"query": query}).to_string();
    format!(
        "<xai:tool_usage_card><xai:tool_usage_card_id>search-1</xai:tool_usage_card_id>\
         <xai:tool_name>web_search</xai:tool_name><xai:tool_args><![CDATA[{args}]]></xai:tool_args>\
         </xai:tool_usage_card>"
    )
}
