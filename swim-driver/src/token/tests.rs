use quickcheck::QuickCheck;

use super::*;

/// A date in 2033.
const AT: u64 = 2_000_000_000;
/// Computed by an implementation that is not ours.
const GOLDEN: &str = "swim1:AQCUNXcAAAAABHByb2QAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHwIPZGIuZXhhbXBsZTo3OTQ2DTEwLjAuMC4xOjc5NDbpU8Pc";

fn unix(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn key() -> Key {
    Key::from_bytes(core::array::from_fn(|i| i as u8))
}

fn seeds(texts: &[&str]) -> Vec<Seed> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn token(texts: &[&str]) -> Result<JoinToken, TokenError> {
    JoinToken::new("prod", key(), seeds(texts), unix(AT))
}

fn parsed(text: &str) -> Result<JoinToken, TokenError> {
    JoinToken::parse(text, unix(AT - 1))
}

/// The text of a token that says this, with a checksum that fits.
fn text_of(mut bytes: Vec<u8>) -> String {
    bytes.extend(checksum(&bytes));
    format!("{PREFIX}{}", Base64UrlUnpadded::encode_string(&bytes))
}

/// What is in the golden one, without the checksum.
fn golden_bytes() -> Vec<u8> {
    let bytes = Base64UrlUnpadded::decode_vec(GOLDEN.strip_prefix(PREFIX).unwrap()).unwrap();
    bytes[..bytes.len() - SUM_LEN].to_vec()
}

/// Tokens are kept and sent: this text may never change.
#[test]
fn golden() {
    assert!(include_str!("../../../docs/security.md").contains(GOLDEN), "the document has it, too");
    let token = token(&["db.example:7946", "10.0.0.1:7946"]).unwrap();
    assert_eq!(*token.to_secret_text(), GOLDEN);
    let again = parsed(GOLDEN).unwrap();
    assert_eq!((again.cluster(), again.seeds(), again.expires()), ("prod", token.seeds(), unix(AT)));
    assert_eq!((again.key().secret(), again.key().id()), (key().secret(), key().id()));
    assert!(parsed(&format!(" {GOLDEN}\r\n")).is_ok());
}

#[test]
fn a_token_has_its_time() {
    let at = unix(AT);
    assert!(JoinToken::parse(GOLDEN, unix(AT) - Duration::from_nanos(1)).is_ok());
    assert_eq!(JoinToken::parse(GOLDEN, at).unwrap_err(), TokenError::Expired { at });
    let text = TokenError::Expired { at }.to_string();
    assert!(text.contains("has expired at 2000000000") && text.contains("have a new one made"), "{text}");
    let early = UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(JoinToken::new("c", key(), seeds(&["a:1"]), early).unwrap_err(), TokenError::Expired { at: early });
    // A moment that the system's clock cannot have.
    let mut bytes = golden_bytes();
    bytes[1..9].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(parsed(&text_of(bytes)).unwrap_err(), TokenError::Damaged);
}

#[test]
fn what_is_no_token_is_told_apart_from_what_was_one() {
    for (text, error) in [
        ("", TokenError::NotAToken),
        ("swim1", TokenError::NotAToken),
        ("serf1:AAAA", TokenError::NotAToken),
        ("swim:AAAA", TokenError::NotAToken),
        ("swim01:AAAA", TokenError::NotAToken),
        ("swim-1:AAAA", TokenError::NotAToken),
        ("swim999:AAAA", TokenError::NotAToken),
        ("swim2:AAAA", TokenError::Version { found: 2 }),
        ("swim1:", TokenError::Damaged),
        ("swim1:AAAA", TokenError::Damaged),
        ("swim1:AA AA", TokenError::Damaged),
        ("swim1:é", TokenError::Damaged),
    ] {
        assert_eq!(parsed(text).unwrap_err(), error, "{text}");
    }
    let long = format!("{PREFIX}{}", "A".repeat(JoinToken::MAX_LEN));
    assert_eq!(parsed(&long).unwrap_err(), TokenError::TooLong { len: long.len() });
    for len in PREFIX.len()..GOLDEN.len() {
        assert_eq!(parsed(&GOLDEN[..len]).unwrap_err(), TokenError::Damaged, "{len}");
    }
}

/// Slips of copying hands: every character in the place of every other one.
#[test]
fn no_changed_character_goes_unnoticed() {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ :\u{e9}";
    for at in 0..GOLDEN.len() {
        for c in alphabet.chars().filter(|c| !GOLDEN[at..].starts_with(*c)) {
            let text = format!("{}{c}{}", &GOLDEN[..at], &GOLDEN[at + 1..]);
            assert!(parsed(&text).is_err(), "{text}");
        }
    }
}

#[test]
fn what_no_token_says_is_refused_though_its_sum_fits() {
    let change = |at: usize, byte: u8| {
        let mut bytes = golden_bytes();
        bytes[at] = byte;
        parsed(&text_of(bytes)).unwrap_err()
    };
    let count = 1 + 8 + 1 + 4 + Key::LEN;
    assert_eq!(change(0, 2), TokenError::Version { found: 2 });
    assert_eq!(change(9, 0), TokenError::Damaged, "no name");
    assert_eq!(change(10, 0xff), TokenError::Damaged, "no UTF-8");
    assert_eq!(change(count, 0), TokenError::Seeds { count: 0 });
    assert_eq!(change(count, 1), TokenError::Damaged, "something is behind the last seed");
    assert_eq!(change(count, 3), TokenError::Damaged, "something is missing");
    assert_eq!(change(count, 17), TokenError::Seeds { count: 17 });
    assert_eq!(change(count + 1, 200), TokenError::Damaged);
    assert_eq!(change(count + 2, b'@'), TokenError::Seed { at: 0, why: SeedError::Host });
    // A port that is written otherwise than it is shown.
    assert_eq!(change(count + 2 + 11, b'0'), TokenError::Damaged);
    let mut longer = golden_bytes();
    longer.push(0);
    assert_eq!(parsed(&text_of(longer)).unwrap_err(), TokenError::Damaged);
}

#[test]
fn limits_are_told() {
    let sixteen: Vec<String> = (0..17).map(|i| format!("10.0.0.{i}:7946")).collect();
    let sixteen: Vec<&str> = sixteen.iter().map(|s| &**s).collect();
    assert!(token(&sixteen[..16]).is_ok());
    assert_eq!(token(&sixteen).unwrap_err(), TokenError::Seeds { count: 17 });
    assert_eq!(token(&[]).unwrap_err(), TokenError::Seeds { count: 0 });
    let forever = core::iter::repeat_with(|| "a:1".parse::<Seed>().unwrap());
    assert_eq!(JoinToken::new("c", key(), forever, unix(AT)).unwrap_err(), TokenError::Seeds { count: 17 });
    for bytes in [0, 256] {
        let error = JoinToken::new(&"x".repeat(bytes), key(), seeds(&["a:1"]), unix(AT)).unwrap_err();
        assert_eq!(error, TokenError::Cluster { bytes });
    }
    let host = |len: usize| vec!["abcdefghi."; len / 10 + 1].concat()[..len].trim_end_matches('.').to_owned() + "x";
    let long: Vec<String> = (0..6).map(|i| format!("{}:{}", host(242), 10_000 + i)).collect();
    let long: Vec<&str> = long.iter().map(|s| &**s).collect();
    let text = token(&long[..5]).unwrap().to_secret_text();
    assert!(text.len() <= JoinToken::MAX_LEN && parsed(&text).is_ok());
    assert!(matches!(token(&long).unwrap_err(), TokenError::TooLong { len } if len > JoinToken::MAX_LEN));
    // A length that no byte holds.
    assert!(matches!(token(&[&format!("{}:65535", host(252))]).unwrap_err(), TokenError::TooLong { .. }));
    let nowhere = Seed::from(std::net::SocketAddr::from(([0, 0, 0, 0], 1)));
    let error = JoinToken::new("c", key(), [nowhere], unix(AT)).unwrap_err();
    assert_eq!(error, TokenError::Seed { at: 0, why: SeedError::Unspecified });
    assert!(error.to_string().starts_with("seed 1 of the token: nothing can be sent"), "{error}");
}

#[test]
fn what_is_parsed_is_written_the_same_and_nothing_panics() {
    fn noise(mut bytes: Vec<u8>, with_sum: bool) -> bool {
        if with_sum {
            bytes.extend(checksum(&bytes));
        }
        let text = format!("{PREFIX}{}", Base64UrlUnpadded::encode_string(&bytes));
        parsed(&text).map_or(true, |token| *token.to_secret_text() == text)
    }
    fn changed(at: usize, byte: u8) -> bool {
        let mut bytes = golden_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let text = text_of(bytes);
        JoinToken::parse(&text, UNIX_EPOCH).map_or(true, |token| *token.to_secret_text() == text)
    }
    fn any(text: String) -> bool {
        parsed(&text).is_err() && parsed(&format!("{PREFIX}{text}")).is_err()
    }
    QuickCheck::new().quickcheck(noise as fn(Vec<u8>, bool) -> bool);
    QuickCheck::new().tests(2_000).quickcheck(changed as fn(usize, u8) -> bool);
    QuickCheck::new().quickcheck(any as fn(String) -> bool);
}

#[test]
fn no_secret_is_shown() {
    let token = JoinToken::new("prod", Key::from_bytes([0xab; 32]), seeds(&["a:1"]), unix(AT)).unwrap();
    let shown = format!("{token:?}");
    assert!(shown.contains("prod") && shown.contains("Key(") && !shown.contains("171"), "{shown}");
    assert!(!TokenError::Damaged.to_string().contains("AQCU"));
}
