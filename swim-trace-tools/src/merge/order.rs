//! The steps of all lives in one order: by time, and never a receipt before its sending.

use super::clocks::Clocks;
use super::pairs::{Pairs, Receipt, Sending, Sent};
use crate::life::Life;

/// Places of steps, by life and number in it. Pairs that stand in a circle are taken apart; only traces that are not of one run
/// have any.
pub(super) fn causal(
    lives: &[Life],
    sends: &[Sending],
    receipts: &[Receipt],
    clocks: &Clocks,
    pairs: &mut Pairs,
) -> Vec<(usize, usize)> {
    let mut heads = vec![0; lives.len()];
    let by_step = receipts_by_step(lives, receipts);
    let mut order = Vec::with_capacity(lives.iter().map(|life| life.steps.len()).sum());
    let origin = |pairs: &Pairs, life: usize, step: usize| {
        let receipt = by_step[life][step]?;
        pairs.sending_of(receipt).map(|send| (send, receipt))
    };
    loop {
        let waiting = (0..lives.len()).filter_map(|life| Some((life, lives[life].steps.get(heads[life])?)));
        let mut waiting: Vec<(i64, usize)> =
            waiting.map(|(life, step)| (clocks.at(life, super::micros(step.at)), life)).collect();
        waiting.sort_unstable();
        let Some(&(_, first)) = waiting.first() else { return order };
        let ready = waiting.iter().map(|&(_, life)| life).find(|&life| match origin(pairs, life, heads[life]) {
            Some((send, _)) => sends[send].step < heads[sends[send].life],
            None => true,
        });
        let life = ready.unwrap_or_else(|| {
            if let Some((send, receipt)) = origin(pairs, first, heads[first]) {
                let receipt = if let Sent::Received(of) = pairs.sent[send] { of } else { receipt };
                pairs.part(send, receipt);
            }
            first
        });
        order.push((life, heads[life]));
        heads[life] += 1;
    }
}

fn receipts_by_step(lives: &[Life], receipts: &[Receipt]) -> Vec<Vec<Option<usize>>> {
    let mut by_step: Vec<Vec<Option<usize>>> = lives.iter().map(|life| vec![None; life.steps.len()]).collect();
    for (i, receipt) in receipts.iter().enumerate() {
        by_step[receipt.life][receipt.step] = Some(i);
    }
    by_step
}
