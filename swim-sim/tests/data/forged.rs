//! Lies, and processes that claim one id: what no run of the swarm has.

use swim_core::Config;

use crate::stories::forged;

#[test]
fn d5_forged_accusations_are_refused() {
    forged::forged_accusations_change_nothing(Config::local("sim"));
}

#[test]
fn d7_the_dead_stay_dead_in_every_order() {
    forged::the_dead_stay_dead_in_every_order(Config::local("sim"));
}

#[test]
fn d6_only_members_confirm() {
    forged::only_members_confirm(Config::local("sim"));
}

#[test]
fn a3_one_of_two_rivals_stays() {
    forged::one_of_two_rivals_stays(Config::local("sim"));
}
