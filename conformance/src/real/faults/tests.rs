use super::*;

fn peer(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn read(faults: &Faults) -> Option<Result<(usize, SocketAddr), ErrorKind>> {
    faults.on_read(&mut [0; 100]).map(|read| read.map_err(|e| e.kind()))
}

fn send(faults: &Faults, bytes: &[u8], port: u16) -> Result<(), ErrorKind> {
    faults.on_send(bytes, peer(port)).map_err(|e| e.kind())
}

#[test]
fn reads_fail_as_often_as_ordered() {
    let faults = Faults::default();
    assert_eq!(read(&faults), None);
    let refused = ErrorKind::ConnectionRefused;
    let failures = |times, of: usize| {
        faults.fail_reads(SocketError::Kind(refused), times);
        (0..of).map(|_| u32::from(read(&faults) == Some(Err(refused)))).collect::<Vec<_>>()
    };
    assert_eq!(failures(Times::Next(2), 4), [1, 1, 0, 0]);
    assert_eq!(failures(Times::Of(1, 3), 6), [1, 0, 0, 1, 0, 0]);
    assert_eq!(failures(Times::Always, 3), [1, 1, 1]);
    assert_eq!((faults.counts().reads, faults.counts().reads_failed), (14, 7));
    faults.clear();
    assert_eq!(read(&faults), None);
}

#[test]
fn sends_fail_by_address_and_by_length() {
    let faults = Faults::default();
    let denied = ErrorKind::PermissionDenied;
    faults.fail_sends(SocketError::Kind(denied), Sends::To(peer(1)), Times::Always);
    assert_eq!([send(&faults, b"x", 1), send(&faults, b"x", 2)], [Err(denied), Ok(())]);
    faults.fail_sends(SocketError::Kind(denied), Sends::Longer(2), Times::Next(1));
    let sent = [&b"xx"[..], b"xxx", b"xxx"].map(|bytes| send(&faults, bytes, 1));
    assert_eq!(sent, [Ok(()), Err(denied), Ok(())]);
    assert_eq!((faults.counts().sends, faults.counts().sends_failed, faults.counts().sends_blocked), (5, 2, 0));
    let code = |error: SocketError| io::Error::from(error).raw_os_error().is_some();
    assert!(code(SocketError::NO_BUFFERS) && code(SocketError::TOO_LONG) && !code(SocketError::WOULD_BLOCK));
}

#[test]
fn what_overtakes_a_datagram_that_had_no_room_is_counted() {
    let faults = Faults::default();
    faults.fail_sends(SocketError::WOULD_BLOCK, Sends::All, Times::Next(2));
    let full = Err(ErrorKind::WouldBlock);
    assert_eq!([send(&faults, b"1", 1), send(&faults, b"1", 1), send(&faults, b"1", 1)], [full, full, Ok(())]);
    assert_eq!((faults.counts().overtaken, faults.counts().sends_blocked), (0, 2));
    for (bytes, port) in [(b"2", 1), (b"1", 2)] {
        faults.fail_sends(SocketError::WOULD_BLOCK, Sends::All, Times::Next(1));
        assert_eq!([send(&faults, b"1", 1), send(&faults, bytes, port)], [full, Ok(())]);
    }
    assert_eq!(faults.counts().overtaken, 2);
}

#[test]
fn a_copy_is_cut_off_and_the_whole_comes_behind_it() {
    let faults = Faults::default();
    assert_eq!(faults.on_received(b"abc", peer(1)), 3);
    let lens = [(); 4].map(|()| {
        faults.cut_off_copies();
        let len = faults.on_received(b"abc", peer(1));
        // What is ordered meanwhile loses nothing.
        faults.clear();
        assert_eq!([read(&faults), read(&faults)], [Some(Ok((3, peer(1)))), None]);
        len
    });
    assert_eq!((lens, faults.counts().cut_off), ([0, 1, 2, 0], 4));
    faults.cut_off_copies();
    assert_eq!(faults.on_received(b"", peer(1)), 0);
    assert_eq!((read(&faults), faults.counts().cut_off), (None, 4), "there is nothing to cut off");
}

#[test]
fn junk_and_readiness_are_as_much_as_ordered() {
    let faults = Faults::default();
    faults.put_junk_first(2);
    assert!((0..2).all(|_| matches!(read(&faults), Some(Ok((60, _))))) && read(&faults).is_none());
    faults.be_ready_for_nothing(2);
    assert_eq!([(); 3].map(|()| faults.on_poll_readable()), [true, true, false]);
    faults.on_poll_deadline();
    assert_eq!(faults.counts().waits, 1);
}
