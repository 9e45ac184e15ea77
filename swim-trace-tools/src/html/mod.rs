//! A story as one page that needs nothing else: no network, no server, no other file.
//!
//! The page's script and style are named by their hashes in its content security policy, and nothing else may run or be loaded.
//! The data are a block of JSON, which no browser runs; the script puts what is in them on the page as text only, so
//! the names of nodes, which others choose, stay names.

mod data;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::merge::Story;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = concat!(include_str!("lanes.js"), include_str!("page.js"));

/// The page, as HTML.
pub fn html(story: &Story) -> String {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    let data = data::json(story);
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + data.len());
    // In one go, so that nothing in what is filled in is taken for a place to fill.
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let (place, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(match place {
            "policy" => &policy,
            "style" => STYLE,
            "data" => &data,
            "script" => SCRIPT,
            _ => "",
        });
        rest = after;
    }
    page + rest
}

/// As a policy names a script or a style: over the exact text between its tags.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
