//! The vectors of `docs/wire.md`, read out of it.

use super::super::super::cipher::peer;
use super::*;

const DOC: &str = include_str!("../../../../../docs/wire.md");

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Wire format: these bytes may never change. They were computed by an implementation that is not ours.
#[test]
fn vectors() {
    let section = DOC.split_once("Vectors (key, session, cluster, counter, body, datagram)").expect("it is there").1;
    let rows =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).skip(2);
    let mut controls = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, secret, session, cluster, counter, body, datagram, _] = cells[..] else { panic!("{row}") };
        let key = Key::from_bytes(bytes(secret).try_into().unwrap());
        let (session, body): ([u8; 16], _) = (bytes(session).try_into().unwrap(), bytes(body));
        let is_control = Control::read(&body).is_some();
        controls += u32::from(is_control);
        let header = Header { is_control, peer: peer(key.id(), &session), counter: counter.parse().unwrap() };
        let (cipher, mut aad) = (Cipher::new(&key, &session, cluster), Aad::new(cluster));
        let mut sealed = [&[0; HEADER_LEN][..], &body, &[0; TAG_LEN]].concat();
        assert!(cipher.seal(&mut aad, header, &mut sealed));
        assert_eq!(hex(&sealed), datagram);
        assert_eq!(Header::read(sealed.first_chunk().unwrap()), Some(header));
        assert_eq!(cipher.open(&mut aad, header, &mut sealed).map(|opened| &*opened), Some(&body[..]));
    }
    assert_eq!(controls, 2);
}
