//! Bytes that mean nothing, for servers that answer whatever comes.

use std::io;
use std::net::UdpSocket;

use super::flood::Client;

pub(crate) struct Echo {
    ping: Vec<u8>,
    answer_len: usize,
}

impl Echo {
    pub(crate) fn new((ping_len, answer_len): (usize, usize)) -> Self {
        Self { ping: vec![7; ping_len], answer_len }
    }
}

impl Client for Echo {
    fn ping(&self) -> &[u8] {
        &self.ping
    }

    fn hears(&mut self, datagram: &[u8], _: &UdpSocket) -> io::Result<bool> {
        Ok(datagram.len() == self.answer_len)
    }

    fn tend(&mut self, _: &UdpSocket) -> io::Result<()> {
        Ok(())
    }

    fn sizes(&self) -> (usize, usize) {
        (self.ping.len(), self.answer_len)
    }
}
