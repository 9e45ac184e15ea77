//! Many datagrams per system call, so that the client is never what the server waits for.

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

/// Room for what comes, and lists for the system.
pub(crate) struct Batch {
    /// What is sent.
    repeated: Vec<u8>,
    rooms: Vec<[u8; ROOM]>,
    parts: Vec<libc::iovec>,
    heads: Vec<libc::mmsghdr>,
}

impl Batch {
    pub(crate) fn new(size: usize) -> Self {
        let (parts, heads) = (Vec::with_capacity(size), Vec::with_capacity(size));
        Self { repeated: Vec::new(), rooms: vec![[0; ROOM]; size], parts, heads }
    }

    /// Sends the same so many times, at most as often as it is large: in one piece, which the system cuts. So sending
    /// takes less of a core than answering, and the server does not sleep between two pings. Returns how many.
    pub(crate) fn send(&mut self, socket: &UdpSocket, datagram: &[u8], times: usize) -> io::Result<usize> {
        let times = times.min(self.rooms.len());
        self.repeated.clear();
        (0..times).for_each(|_| self.repeated.extend_from_slice(datagram));
        cut(socket, datagram.len())?;
        let sent = socket.send(&self.repeated);
        // What else is sent here has other lengths.
        cut(socket, 0)?;
        sent.map(|_| times)
    }

    /// Takes what is there, without waiting. Returns how many datagrams.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.fill_heads();
        let (heads, count) = (self.heads.as_mut_ptr(), self.heads.len() as u32);
        // SAFETY: every head leads to one part, every part to a room of its own of that length, and all outlive the
        // call. The length is that of `heads`. There is no time-out, which may be null.
        let got = unsafe { libc::recvmmsg(socket.as_raw_fd(), heads, count, libc::MSG_DONTWAIT, ptr::null_mut()) };
        match usize::try_from(got) {
            Ok(got) => Ok(got),
            Err(_) => Err(io::Error::last_os_error()).or_else(|e| match e.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(e),
            }),
        }
    }

    /// What came as this one of the last that were received.
    pub(crate) fn datagram(&self, at: usize) -> &[u8] {
        &self.rooms[at][..(self.heads[at].msg_len as usize).min(ROOM)]
    }

    fn fill_heads(&mut self) {
        let part = |room: &mut [u8; ROOM]| libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: ROOM };
        self.parts.clear();
        self.parts.extend(self.rooms.iter_mut().map(part));
        self.heads.clear();
        self.heads.extend(self.parts.iter_mut().map(|part| {
            // SAFETY: a head is plain numbers and pointers, for all of which zero is valid: no address, no control
            // data.
            let mut head: libc::mmsghdr = unsafe { mem::zeroed() };
            (head.msg_hdr.msg_iov, head.msg_hdr.msg_iovlen) = (part, 1);
            head
        }));
    }
}

/// From now on what is sent is cut into datagrams of this length; 0: no longer.
fn cut(socket: &UdpSocket, len: usize) -> io::Result<()> {
    let len = libc::c_int::try_from(len).map_err(io::Error::other)?;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the call reads one number of this size from where the pointer leads, which is `len`.
    let set = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, (&raw const len).cast(), size)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// More than any of these answers has.
const ROOM: usize = 4_096;
