//! Target: what says who may open datagrams. Join tokens, keys, the file that keys are kept in, and the section of a config file
//! that names them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use swim_driver::fuzzing::token_text;
use swim_driver::{JoinToken, Key, KeyId, Seed, TokenError};

use crate::bytes::Bytes;
use crate::seal::party::key;

/// The bytes as text, as the content of a token, and as a script that makes tokens and files which are nearly right: taken, and
/// then what is written of it reads as the same; or refused with words that repeat no secret.
///
/// # Panics
/// When there is a bug.
pub fn target(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    parse(&text);
    parse(&token_text(data));
    key_text(&text);
    swim_cli::fuzzing::keyring(&text);
    swim_cli::fuzzing::sealing(&text);
    let mut script = Bytes::new(data);
    made(&mut script);
    swim_cli::fuzzing::keyring(&keyring(&mut script));
}

/// Any text as a token, at three times.
fn parse(text: &str) {
    for now in [UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(1 << 31), SystemTime::now()] {
        match JoinToken::parse(text, now) {
            Ok(token) => {
                assert!(token.expires() > now, "it has expired");
                same(&token, text.trim_ascii());
            }
            Err(TokenError::Expired { at }) => assert!(at <= now, "it has not expired"),
            Err(why) => {
                let words = why.to_string();
                assert!(!words.is_empty() && repeats_nothing(&words, text), "{words:?}");
            }
        }
    }
}

/// A token is written as it was read, and reads as it is written.
fn same(token: &JoinToken, text: &str) {
    assert_eq!(token.to_secret_text().as_str(), text, "there is one text for one token");
    let seeds = token.seeds();
    assert!((1..=JoinToken::SEEDS_MAX).contains(&seeds.len()) && (1..=255).contains(&token.cluster().len()));
    let again = JoinToken::new(token.cluster(), token.key().clone(), seeds.iter().cloned(), token.expires());
    let again = again.expect("what was read can be made");
    assert_eq!(again.to_secret_text().as_str(), text);
    assert_eq!((again.key().id(), again.seeds()), (token.key().id(), seeds));
    let secret = token.key().to_secret_text();
    // Names may be like it.
    let is_told = |text: &str| text.contains(secret.as_str());
    assert!(!is_told(&format!("{token:?}")) || is_told(token.cluster()) || is_told(&format!("{seeds:?}")));
}

fn key_text(text: &str) {
    match Key::from_secret_text(text) {
        Ok(key) => {
            let written = key.to_secret_text();
            let again = Key::from_secret_text(&written).expect("it was written so");
            assert_eq!(again.to_secret_text(), written);
            assert_eq!(again.id(), key.id());
        }
        Err(why) => assert!(repeats_nothing(&why.to_string(), text)),
    }
    if let Ok(id) = text.parse::<KeyId>() {
        assert!(id.to_string().eq_ignore_ascii_case(text));
    }
}

/// A token of any parts: made, and then it reads as the same; or refused for the first part that does not fit.
fn made(script: &mut Bytes<'_>) {
    let cluster = script.text(255) + &"é".repeat(script.below(200));
    let secret = key(script.u8());
    let count = script.below(20);
    let seed = |script: &mut Bytes<'_>| match script.u8() % 4 {
        0 => Some(Seed::from(crate::cast::addr(script.below(9)))),
        1 => String::from_utf8_lossy(script.some(40)).parse().ok(),
        2 => format!("{}.example:{}", "x".repeat(script.below(64)), script.u16()).parse().ok(),
        _ => format!("{}:{}", script.text(255), script.u8()).parse().ok(),
    };
    let seeds: Vec<Seed> = (0..count).filter_map(|_| seed(script)).collect();
    let Some(expires) = UNIX_EPOCH.checked_add(Duration::from_secs(script.number())) else { return };
    match JoinToken::new(&cluster, secret, seeds.clone(), expires) {
        Ok(token) => {
            let text = token.to_secret_text();
            assert!(text.len() <= JoinToken::MAX_LEN, "{} characters", text.len());
            if expires > UNIX_EPOCH {
                same(&JoinToken::parse(&text, UNIX_EPOCH).expect("it was made so"), &text);
            }
        }
        Err(TokenError::Cluster { bytes }) => assert!(bytes == cluster.len() && !(1..=255).contains(&bytes)),
        Err(TokenError::Seeds { count }) => {
            assert!(count == seeds.len().min(JoinToken::SEEDS_MAX + 1) && !(1..=JoinToken::SEEDS_MAX).contains(&count));
        }
        Err(TokenError::TooLong { .. }) => assert!(cluster.len() + seeds.len() * 5 > 20),
        Err(TokenError::Seed { at, .. }) => assert!(at < seeds.len()),
        Err(why) => panic!("{why:?} is about no part of it"),
    }
}

/// The text of a keyring's file that is right, or nearly.
fn keyring(script: &mut Bytes<'_>) -> String {
    let mut text = match script.u8() % 4 {
        0 => String::new(),
        _ => format!("in_use = \"{}\"\n", key(script.below(6) as u8).id()),
    };
    for _ in 0..script.below(7) {
        let n = script.below(6) as u8;
        let id = key(if script.below(8) == 0 { script.u8() } else { n }).id();
        let added = match script.u8() % 8 {
            0 => String::from_utf8_lossy(script.some(30)).into_owned(),
            1 => format!("2026-11-22T03:20:00.{}Z", "1".repeat(script.u8().into())),
            2 => "2026-11-22 03:20:00Z".into(),
            _ => "2026-11-22T03:20:00Z".into(),
        };
        let secret = key(n).to_secret_text();
        let secret = match script.u8() % 8 {
            0 => secret.to_uppercase(),
            1 => secret[..script.below(65).min(secret.len())].to_owned(),
            2 => format!(" {}\\t", secret.as_str()),
            _ => secret.to_string(),
        };
        text += &format!("[[key]]\nid = \"{id}\"\nadded = \"{added}\"\nsecret = \"{secret}\"\n");
    }
    if script.below(4) == 0 {
        text += &String::from_utf8_lossy(script.some(60));
    }
    text
}

/// Whether no run of characters that is as long as a part of a secret, and like one, is in a message.
fn repeats_nothing(words: &str, text: &str) -> bool {
    let is_of_a_secret = |c: char| c.is_ascii_alphanumeric() || "+/=-_".contains(c);
    text.split(|c| !is_of_a_secret(c)).filter(|run| run.len() >= 24).all(|run| !words.contains(run))
}
