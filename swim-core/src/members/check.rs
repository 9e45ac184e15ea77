//! Every index of the table against its plain meaning.

use super::{ME, Members, addr_hash, ensure, leaf_of};

impl Members {
    /// Every index against its plain meaning.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        self.order.check()?;
        let (mut hash, mut app_sum) = (0_u64, 0_u64);
        let (mut rows, mut peers) = (0, 0);
        for (slot, row) in self.rows.iter() {
            rows += 1;
            ensure(self.find(row.id) == Some(slot), "by_id misses a row")?;
            ensure(row.detail_at <= row.status.incarnation(), "detail is ahead of status")?;
            let listed = self.by_addr.count(addr_hash(self.key, row.addr), |s| s == slot) == 1;
            let peer = row.status.is_live() && slot != ME;
            ensure(listed == peer, "by_addr holds exactly the live peers")?;
            ensure(self.order.contains(slot) == peer, "the order holds exactly the live peers")?;
            peers += usize::from(peer);
            hash = hash.wrapping_add(self.row_value(slot));
            app_sum = app_sum.wrapping_add(self.mark(slot));
        }
        ensure(self.rows.get(ME).is_some(), "slot 0 is this node's own")?;
        ensure(
            rows == self.by_id.len() && rows == self.rows.len() && rows <= self.rows_max,
            "one index entry per row",
        )?;
        ensure(peers == self.by_addr.len() && peers == self.order.len(), "one address entry per live peer")?;
        ensure(hash == self.view_hash, "the view hash is the sum over live rows")?;
        ensure(app_sum == self.app_sum, "the sum of marks is that over live rows")?;
        let of_rows = |(slot, mark): (usize, &u64)| *mark == 0 || self.rows.get(slot as u32).is_some();
        ensure(self.marks.iter().enumerate().all(of_rows), "a mark without a row")?;
        self.tree
            .check(&self.rows, self.rows.iter().map(|(slot, _)| slot), |slot| leaf_of(&self.rows, &self.marks, slot))?;
        let mut shared = 0;
        for (i, slot) in (0..peers).map(|i| (i, self.order.at(i))) {
            shared += usize::from((0..i).any(|j| self[self.order.at(j)].addr == self[slot].addr));
        }
        ensure(shared == self.shared, "shared addresses are counted")
    }
}
