use super::*;

#[test]
fn names_and_addresses_are_told_apart_and_shown_as_they_were_written() {
    for text in ["10.0.0.1:7946", "[::1]:7946", "[2001:db8::7]:1", "192.0.2.7:65535"] {
        let seed: Seed = text.parse().unwrap();
        assert_eq!((seed.addr(), seed.to_string()), (Some(text.parse().unwrap()), text.to_owned()));
        assert_eq!(seed, Seed::from(text.parse::<SocketAddr>().unwrap()));
    }
    for (text, port) in [
        ("db.example:7946", 7_946),
        ("localhost:1", 1),
        ("db.example.:65535", 65_535),
        ("db_1-a:80", 80),
        ("10.0.0.1.example:7946", 7_946),
        ("7up:7946", 7_946),
        ("0xcafe.example:7946", 7_946),
        ("db.0xylon:7946", 7_946),
        ("bücher.example:7946", 7_946),
    ] {
        let seed: Seed = text.parse().unwrap();
        assert_eq!((seed.addr(), seed.port(), seed.to_string()), (None, port, text.to_owned()));
    }
}

#[test]
fn every_mistake_has_its_own_error() {
    let long = format!("{}:1", "x".repeat(254));
    for (text, error) in [
        ("", SeedError::PortMissing),
        ("db.example", SeedError::PortMissing),
        ("db.example:", SeedError::PortMissing),
        ("10.0.0.1", SeedError::PortMissing),
        ("[::1]", SeedError::PortMissing),
        ("[::1]:", SeedError::PortMissing),
        ("db.example:http", SeedError::Port),
        ("db.example:65536", SeedError::Port),
        ("db.example:+80", SeedError::Port),
        ("db.example:-1", SeedError::Port),
        ("[::1]:65536", SeedError::Port),
        ("db.example:0", SeedError::PortZero),
        ("10.0.0.1:0", SeedError::PortZero),
        ("[::1]:0", SeedError::PortZero),
        ("0.0.0.0:7946", SeedError::Unspecified),
        ("[::]:0", SeedError::Unspecified),
        ("[::ffff:0.0.0.0]:7946", SeedError::Unspecified),
        (":7946", SeedError::HostEmpty),
        ("http://db.example:7946", SeedError::Host),
        ("db example:7946", SeedError::Host),
        ("a@b:7946", SeedError::Host),
        ("a,b:7946", SeedError::Host),
        (&long, SeedError::HostTooLong { bytes: 254 }),
        ("::1", SeedError::Brackets),
        ("2001:db8::7:7946", SeedError::Brackets),
        ("1:2:3:4:5:6:7:8:7946", SeedError::Brackets),
        ("10.0.0.256:7946", SeedError::Address),
        ("10.0.0:7946", SeedError::Address),
        ("10.0.0.1.:7946", SeedError::Address),
        ("1234:7946", SeedError::Address),
        ("0x7f000001:80", SeedError::Address),
        ("127.0.0.0X1:80", SeedError::Address),
        ("10.0.0.0xff.:80", SeedError::Address),
        ("0x:80", SeedError::Address),
        (".:1", SeedError::Host),
        ("..:1", SeedError::Host),
        (".db.example:1", SeedError::Host),
        ("db..example:1", SeedError::Host),
        ("db.example..:1", SeedError::Host),
        ("[db.example]:7946", SeedError::Address),
        ("[::1:7946", SeedError::Address),
    ] {
        assert_eq!(text.parse::<Seed>(), Err(error), "{text:?}");
    }
}

#[test]
fn every_error_says_what_to_do() {
    let all = [
        (SeedError::PortMissing, "the port is missing: write it like db.example:7946"),
        (SeedError::Port, "no number from 1 to 65535: give the port"),
        (SeedError::PortZero, "nothing can be sent to port 0: give the port"),
        (SeedError::Unspecified, "nothing can be sent to the unspecified address: give the address"),
        (SeedError::HostEmpty, "the host is missing: write it like"),
        (SeedError::Host, "a character, or a dot in a place, that no host name has: write it like"),
        (SeedError::HostTooLong { bytes: 300 }, "has 300 bytes, and none has more than 253: check it"),
        (SeedError::Brackets, "needs brackets: write it like [2001:db8::7]:7946"),
        (SeedError::Address, "looks like an IP address and is none: write it like"),
    ];
    for (error, words) in all {
        assert!(error.to_string().contains(words), "{error}");
    }
}
