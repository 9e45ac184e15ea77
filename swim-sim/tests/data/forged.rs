//! Lies, and processes that claim one id: what no run of the swarm has.

use swim_core::Config;

use crate::stories::{forged, sealed};

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

#[test]
fn who_is_not_heard_is_not_let_in() {
    forged::who_is_not_heard_is_not_let_in(Config::local("sim"));
}

#[test]
fn nobody_speaks_of_a_later_life() {
    forged::nobody_speaks_of_a_later_life(Config::local("sim"));
}

#[test]
fn a_frame_has_one_encoding() {
    forged::a_frame_has_one_encoding(Config::local("sim"));
}

#[test]
fn sealed_nothing_is_heard_twice() {
    sealed::nothing_is_heard_twice(Config::local("sim"));
}

#[test]
fn sealed_the_unproven_are_not_heard() {
    sealed::the_unproven_are_not_heard(Config::local("sim"));
}

#[test]
fn sealed_what_is_old_is_not_heard() {
    sealed::what_is_old_is_not_heard(Config::local("sim"));
}

#[test]
fn sealed_a_removed_key_opens_nothing() {
    sealed::a_removed_key_opens_nothing(Config::local("sim"));
}
