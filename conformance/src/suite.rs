//! Which scenarios there are, and with how many seeds: `n` seeds, or `n..=most` where more than `most` are too many.

/// One test for each scenario that every network can play.
///
/// ```text
/// struct Sim { .. }
/// impl conformance::Harness for Sim { .. }
/// conformance::suite!(Sim);
/// ```
#[macro_export]
macro_rules! suite {
    ($harness:ty) => {
        $crate::scenario_tests! { $harness;
            identity {
                a2_a_restart_with_an_older_epoch: 100,
                a3_two_processes_with_one_id: 100,
                a8_a_hundred_changes_of_metadata: 100,
                a9_a_member_moves: 100,
                a9_a_move_within_one_epoch: 100,
                a10_an_address_is_taken_over: 100,
                a11_one_instance_at_every_step: 100,
                a3_the_silent_one_takes_another_name: 100,
            }
            lives {
                a1_a_restart_while_suspected: 100,
                a13_restarts_with_older_metadata: 100,
                a14_back_while_its_death_is_told: 100,
            }
            partition {
                b2_seeds_alone_form_a_cluster: 100,
                b6_a_way_that_is_cut_in_one_direction: 100,
            }
            probe {
                c1_a_suspended_host_convicts_nobody: 100,
            }
            suspicion {
                d4_the_first_accuser_crashes: 100,
                d11_a_bad_link_kills_nobody: 100,
            }
            leave {
                e1_leave_then_exit: 100,
                e1_the_last_but_one_leaves: 100,
                e5_leave_while_alone: 100,
                e1_leave_while_another_is_suspected: 100,
                e4_back_on_the_same_port_at_once: 100,
            }
            gossip {
                a_missed_profile_is_repaired: 100,
                a_profile_that_nobody_heard_is_repaired: 100,
                a8_all_change_their_metadata_at_once: 100,
                p11_the_longest_metadata_reaches_all: 100,
            }
            verdicts {
                p5_a_starved_node_kills_nobody: 100,
                p12_an_observer_that_stood_still_convicts_nobody: 100,
            }
            joins {
                one_joins_and_each_reports_it_once: 100,
                all_join_at_once: 100,
                each_joins_through_the_one_before: 100,
                b4_the_seed_starts_last: 100,
                b5_alone_among_its_own_seeds: 100,
                b5_itself_and_others_among_the_seeds: 100,
                most_of_the_seeds_are_down: 100,
                p7_a_seed_of_another_cluster: 100,
                p7_seeds_of_two_clusters: 100,
                a_join_while_a_quarter_is_lost: 100,
            }
            deaths {
                a_crash_is_reported_once_by_each: 100,
                two_crash_at_once: 100,
                a_short_pause_kills_nobody: 100,
                d1_a_suspect_refutes: 100,
                d7_who_was_found_dead_comes_back: 100,
            }
            restarts {
                p15_restarted_before_it_is_missed: 100,
                p15_restarted_after_its_death: 100,
                a14_restarted_in_the_same_epoch: 100,
                a13_restarted_in_the_epoch_of_its_death: 100,
                a2_restarted_in_a_lower_epoch: 100,
                a13_restarted_below_the_epoch_of_its_death: 100,
            }
            splits {
                a_short_split_kills_nobody: 100,
                a_long_split_heals: 100,
                a_one_way_split_heals: 100,
            }
            network {
                doubled_and_overtaken_datagrams_change_nothing: 100,
                p17_a_slow_way_kills_nobody: 100,
            }
            state {
                a_key_is_put_read_and_deleted: 100,
                f1_two_at_once_after_silence: 100,
                a_restart_replaces_the_state: 100,
                a_late_joiner_has_all: 100,
                g4_what_can_never_be_sent_is_refused: 100,
                g11_the_same_value_is_no_news: 100,
            }
            rumors {
                a_rumor_reaches_each_once: 100,
                e3_a_leave_carries_rumors: 100,
                e3_who_missed_the_farewell_hears_it_later: 100,
                f2_the_longest_rumor_is_sent: 100,
                f7_alone_it_keeps_a_bounded_number: 100,
                f8_the_same_words_again_are_heard_again: 100,
            }
            handles {
                the_last_handle_dropped_is_a_goodbye: 100,
                one_handle_of_many_keeps_the_node: 100,
                commands_of_eight_threads_are_all_delivered: 100,
                commands_around_a_leave_are_delivered_or_refused: 100,
                a_join_behind_a_leave_is_delivered_or_refused: 100,
            }
            embedder {
                a_subscriber_that_never_reads_knows_what_it_missed: 100,
                a_view_read_late_is_right: 100,
                a_view_is_never_behind_its_events: 100,
            }
        }
    };
}

/// One test for each scenario that needs a network on virtual time that can be looked into.
#[macro_export]
macro_rules! suite_inspect {
    ($harness:ty) => {
        $crate::scenario_tests! { $harness;
            identity {
                a2_it_costs_four_datagrams: 100,
                a3_and_then_it_is_quiet: 100,
                a8_a_hundred_changes_raise_no_doubt: 100,
                a9_nothing_goes_to_the_former_address: 100,
                a15_a_stranger_says_i_am_dead: 100,
            }
            lives {
                a1_a_restart_in_the_middle_of_a_probe: 100,
                a4_its_own_ghost: 100,
                a5_six_restart_together: 100,
                a6_two_that_hold_each_other_dead: 100,
                a6_halves_that_hold_each_other_dead: 100,
                a7_datagrams_of_a_former_life: 100,
                a12_forgotten_by_all: 200,
                a13_restarts_below_a_believed_death: 100,
                a14_its_former_life_is_dead: 100,
            }
            partition {
                b1_isolated_nodes_come_back: 100,
                b1_a_seed_that_left_is_found_again: 100,
                b3_a_long_split_merges: 100,
                b3_halves_that_hold_each_other_dead: 100,
                b4_seeds_come_up_later: 100,
                b4_seeds_come_up_elsewhere: 100,
                b5_own_address_among_the_seeds: 100,
                b6_the_relays_answer: 100,
                b7_contact_with_the_dead_decays: 4..=10,
                b8_a_joiner_learns_of_all: 1..=10,
            }
            probe {
                c1_a_stalled_node_accuses_nobody: 100,
                one_crash_costs_no_health: 100,
            }
            suspicion {
                d5_forged_accusations_change_nothing: 100,
                d9_the_suspect_hears_of_it_first: 100,
                d12_deaths_of_nobody: 100,
            }
            gossip {
                f4_every_datagram_parses: 100,
                f5_each_message_carries_its_own: 100,
                f9_one_update_reaches_all: 100,
                f9_one_update_reaches_a_thousand: 1..=3,
            }
            time {
                i10_idle_nodes_do_not_spin: 100,
            }
            rows {
                p1_leave_and_return_in_quick_succession: 100,
                p6_a_replay_revives_nobody: 100,
                p7_a_wrong_seed_merges_nothing: 100,
                p9_a_removed_node_is_gone_everywhere: 100,
                p10_a_far_future_epoch_shuts_nobody_out: 100,
                p15_a_restarted_node_is_not_stuck_behind_its_old_self: 100,
                p18_the_forgotten_do_not_come_back: 100,
                p19_a_joiner_that_dies_at_once_is_found_dead: 100,
                p22_both_sides_reaped_each_other: 100,
            }
            traffic {
                p2_hundreds_of_changes_drain: 100,
                p3_a_leave_is_told_ahead_of_other_news: 100,
                p8_flipped_bits_change_nothing: 100,
                p11_the_largest_profiles_start_cold: 100,
                p13_both_make_first_contact_at_once: 100,
                p20_after_a_heal_traffic_settles: 100,
                p21_rows_come_without_gaps: 100,
            }
            carried {
                f4_every_datagram_with_data_parses: 100..=100,
                f5_each_message_carries_its_own_data: 100..=100,
            }
            state {
                a_ttl_is_over_everywhere_at_once: 100,
                g6_a_deleted_key_never_returns: 100,
                g9_the_small_come_before_the_bulk: 100..=100,
                g10_the_last_words_of_the_dead: 100,
                p11_the_largest_states_start_cold: 100..=100,
                p20_states_settle_after_a_heal: 100,
                p21_a_state_comes_without_gaps: 100,
            }
            rumors {
                f3_no_size_starves_another: 100,
                f9_one_rumor_reaches_all: 100..=100,
                f9_one_rumor_reaches_a_thousand: 1..=3,
                f9_one_write_reaches_all: 100,
                p1_a_known_rumor_is_not_told_again: 100,
                p2_a_storm_of_rumors_drains: 100..=100,
                p3_a_storm_holds_up_no_leave_and_no_refutation: 100..=100,
            }
            verdicts {
                p5_a_starved_node_accuses_nobody: 100,
                p14_a_mute_member_keeps_nobody_from_agreeing: 100,
                p16_a_suspicion_outlasts_its_dissemination: 100,
                p17_late_acks_are_acks: 100,
                p23_a_relay_asks_no_relay: 100,
            }
        }
    };
}

/// One test for each scenario that needs real sockets, which can be made to fail.
#[macro_export]
macro_rules! suite_faults {
    ($harness:ty) => {
        $crate::scenario_tests! { $harness;
            faults {
                i4_receive_errors_are_borne_counted_and_paced: 100,
                i4_reads_that_find_nothing_hold_up_nothing: 100,
                i4_who_could_not_read_for_long_comes_back: 100,
                i4_send_errors_are_counted_and_told: 100,
                i4_a_member_that_cannot_be_sent_to_is_no_dead_member: 100,
                i4_a_socket_without_room_is_waited_for: 100,
                i4_a_leave_without_room_ends_the_driver: 100,
                i4_datagrams_too_long_for_the_way_cost_no_membership: 100,
                i4_datagrams_that_are_cut_off_change_nothing: 100,
            }
            sockets {
                d5_forged_accusations_over_the_network: 100,
                i6_a_flood_of_junk_kills_nobody: 100,
                i6_a_flood_of_another_cluster_kills_nobody: 100,
                i6_who_is_held_up_behind_a_flood_accuses_nobody: 100,
                i9_a_port_is_free_when_the_driver_has_ended: 100,
                i10_an_idle_driver_alone_sleeps: 100,
                i10_two_idle_drivers_sleep: 100,
                i10_five_idle_drivers_sleep: 100,
                i10_woken_for_nothing_a_driver_does_nothing: 100,
            }
        }
    };
}

/// Makes the tests of a list.
#[doc(hidden)]
#[macro_export]
macro_rules! scenario_tests {
    ($harness:ty; $($section:ident { $($name:ident: $seeds:expr,)* })*) => { $($(
        #[test]
        fn $name() {
            let package = (env!("CARGO_PKG_NAME"), env!("CARGO_CRATE_NAME"));
            let again = $crate::rerun(package, module_path!(), stringify!($name));
            $crate::batch::<$harness>($seeds, &again, $crate::scenarios::$section::$name::<$harness>);
        }
    )*)* };
}
