use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn counting() -> Key {
    Key::from_bytes(core::array::from_fn(|i| i as u8))
}

/// The key of these number's bytes and zeroes.
fn numbered(number: u32) -> Key {
    let mut secret = [0; Key::LEN];
    secret[..4].copy_from_slice(&number.to_le_bytes());
    Key::from_bytes(secret)
}

fn id(text: &str) -> KeyId {
    text.parse().unwrap()
}

/// Wire format: these may never change. They were computed by an implementation that is not ours.
#[test]
fn golden() {
    let key = counting();
    assert_eq!(key.id().to_le_bytes(), [0xdb, 0x50]);
    assert_eq!(key.id().to_string(), "50db");
    let session = core::array::from_fn(|i| 100 + i as u8);
    let want = "523926e984d0365ac1cdc2a99642b6db5728889cc972a2563f6ed3e11d98719c";
    assert_eq!(hex(&key.session(&session, "prod")[..]), want);
    assert_eq!(Key::from_bytes([7; 32]).id().to_le_bytes(), [0xed, 0xe9]);
}

#[test]
fn sessions_clusters_and_keys_have_keys_of_their_own() {
    let (key, session) = (counting(), [1; 16]);
    let all = [
        key.session(&session, "prod"),
        key.session(&session, "prod\0"),
        key.session(&session, ""),
        key.session(&[2; 16], "prod"),
        numbered(1).session(&session, "prod"),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|other| **other != **one), "{i}");
    }
}

#[test]
fn keys_are_new_each_time() {
    let keys: Vec<_> = (0..16).map(|_| Key::generate().unwrap()).collect();
    for (i, key) in keys.iter().enumerate() {
        assert!(keys[..i].iter().all(|other| !other.is(key)), "{i}");
        assert!(key.secret().iter().any(|&byte| byte != 0));
    }
}

#[test]
fn texts_stand_for_keys() {
    let key = counting();
    let text = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    assert_eq!(*key.to_secret_text(), text);
    let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for same in [text, &text.to_uppercase(), &format!("  {text}\n"), base64, &format!("{base64}\r\n")] {
        assert!(Key::from_secret_text(same).unwrap().is(&key), "{same}");
    }
    let last_bit = base64.replace("h8=", "h9=");
    let long = format!("{text}00");
    for none in [
        "",
        " ",
        &text[2..],
        &text[1..],
        &long,
        &text.replace('f', "g"),
        &base64[1..],
        &last_bit,
        "é".repeat(22).as_str(),
    ] {
        let error = Key::from_secret_text(none).unwrap_err().to_string();
        assert!(error.starts_with("this is no key: a key is 64 hexadecimal digits"), "{error}");
        assert!(none.len() < 10 || !error.contains(none), "{error}");
    }
    assert!(Key::from_secret_text(&"é".repeat(32)).is_err() && Key::from_secret_text(&"+0".repeat(32)).is_err());
}

#[test]
fn ids_are_four_digits() {
    assert_eq!(id("00fF").to_string(), "00ff");
    assert_eq!(id("0a0b"), KeyId::from_le_bytes([0x0b, 0x0a]));
    for none in ["", "fff", "fffff", "+fff", "ffg0", "é00"] {
        assert!(none.parse::<KeyId>().is_err(), "{none}");
    }
}

#[test]
fn a_ring_exchanges_its_key() {
    let (old, new) = (numbered(1), numbered(2));
    let (old_id, new_id) = (old.id(), new.id());
    let mut ring = Keyring::new(old);
    assert_eq!((ring.in_use(), ring.len()), (old_id, 1));
    assert_eq!(ring.remove(old_id), Err(KeyringError::InUse { key: old_id }));
    assert_eq!(ring.use_key(new_id), Err(KeyringError::Unknown { key: new_id }));
    ring.add(new).unwrap();
    assert_eq!((ring.in_use(), ring.ids().collect::<Vec<_>>()), (old_id, vec![old_id, new_id]));
    assert!(ring.get(new_id).is_some());
    ring.use_key(new_id).unwrap();
    ring.remove(old_id).unwrap();
    assert_eq!((ring.in_use(), ring.ids().collect::<Vec<_>>()), (new_id, vec![new_id]));
    assert!(ring.get(old_id).is_none());
    assert_eq!(ring.remove(old_id), Err(KeyringError::Unknown { key: old_id }));
}

#[test]
fn a_ring_has_at_most_four_keys_of_different_names() {
    let mut ring = Keyring::new(numbered(119));
    let key = numbered(119).id();
    assert_eq!(numbered(158).id(), key, "chosen so");
    assert_eq!(ring.add(numbered(119)), Err(KeyringError::Known { key }));
    assert_eq!(ring.add(numbered(158)), Err(KeyringError::SameId { key }));
    for number in 1..4 {
        ring.add(numbered(number)).unwrap();
    }
    assert_eq!(ring.add(numbered(4)), Err(KeyringError::Full));
    assert_eq!(ring.len(), Keyring::MAX);
    assert_eq!(ring.add(numbered(2)), Err(KeyringError::Known { key: numbered(2).id() }), "that is what is to be told");
}

#[test]
fn no_secret_is_shown() {
    let key = Key::from_bytes([0xab; 32]);
    assert_eq!(format!("{key:?}"), format!("Key({})", key.id()));
    let mut ring = Keyring::new(key);
    ring.add(numbered(1)).unwrap();
    let shown = format!("{ring:#?}");
    assert!(!shown.contains("abab") && !shown.contains("171") && shown.contains(&ring.in_use().to_string()), "{shown}");
}

#[test]
fn every_error_names_a_remedy() {
    let key = id("00ff");
    for (error, words) in [
        (KeyringError::Full, ["4 keys", "remove one"]),
        (KeyringError::Known { key }, ["00ff", "nothing to do"]),
        (KeyringError::SameId { key }, ["00ff", "take a new one"]),
        (KeyringError::Unknown { key }, ["00ff", "add it first"]),
        (KeyringError::InUse { key }, ["00ff", "use another one before"]),
    ] {
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}
