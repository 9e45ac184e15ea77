use serde::Deserialize;
use swim_core::{Config, Entry};

use super::*;
use crate::state::MemberState;
use crate::test_net::Net;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Role {
    name: String,
    weight: u16,
}

fn row(entries: &[(&str, &[u8])]) -> MemberView {
    let entries = entries.iter().map(|&(key, value)| Entry { key, value, version: 1 });
    MemberView::sample(7, 0).with_state(MemberState::of(1, entries, &MemberState::default(), 0, false))
}

#[test]
fn what_is_no_value_of_the_type_is_told() {
    let role = Role { name: "primary".into(), weight: 300 };
    let bytes = postcard::to_allocvec(&role).unwrap();
    let longer = [&bytes[..], b"!"].concat();
    let row = row(&[("role", &bytes), ("cut", &bytes[..3]), ("longer", &longer), ("empty", b"")]);
    assert_eq!(row.get_as::<Role>("role"), Ok(Some(role)));
    assert_eq!(row.get_as::<Role>("none"), Ok(None));
    for key in ["cut", "longer", "empty"] {
        let error = row.get_as::<Role>(key).unwrap_err();
        assert!(matches!(&error, StateError::NotDecodable { key: k, .. } if **k == *key), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("{key:?}")) && text.contains("Role"), "{text}");
    }
}

#[test]
fn what_cannot_be_put_names_key_and_reason() {
    let mut net = Net::new(0);
    let mut config = Config::local("c");
    config.state_bytes = 2_048;
    let i = net.spawn(config);
    let handle = net.handle(i);
    assert_eq!(handle.put_as("role", &Role { name: "primary".into(), weight: 1 }), Ok(()));
    assert_eq!(handle.put_as_with_ttl("lease", &7_u64, Duration::from_secs(5)), Ok(()));
    let error = handle.put_as("long", &vec![7_u8; 5_000]).unwrap_err();
    assert!(error.to_string().starts_with("\"long\" cannot be put: the value has 5002 bytes, and at most "), "{error}");
    handle.put_as("a", &vec![7_u8; 1_020]).unwrap();
    let error = handle.put_as("b", &vec![7_u8; 1_020]).unwrap_err();
    assert!(matches!(error, StateError::Refused { error: CommandError::StateFull { max: 2_048, .. }, .. }), "{error}");
    /// A sequence that does not say how long it is.
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serde::ser::SerializeSeq::end(serializer.serialize_seq(None)?)
        }
    }
    let error = handle.put_as("endless", &Endless).unwrap_err();
    assert!(error.to_string().contains("\"endless\"") && error.to_string().contains("Endless"), "{error}");
}
