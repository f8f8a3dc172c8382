// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {
    IAccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/IAccessControlDefaultAdminRules.sol";
import {RewardPool} from "../src/RewardPool.sol";
import {PoolBase} from "./PoolBase.sol";

/// What a guardian and the admin may do: pauses and caps; and how the admin's role moves.
contract LimitsTest is PoolBase {
    uint8 private constant FUND = 1;
    uint8 private constant SETTLE = 2;
    uint8 private constant CLAIM = 4;
    uint48 private constant DAY = 1 days;

    // ------------------------------------------------------------------------------------------------------- pauses

    function test_nothing_is_paused_at_first() public view {
        vm.assertEq(pool.paused(), 0, "paused");
        vm.assertEq(pool.claimPauseEnd(), 0, "no pause of claim");
    }

    function test_each_bit_pauses_its_function_and_no_other(uint8 bits) public {
        bits = uint8(_between(bits, 1, 7));
        _settle(1 ether, _one(ALICE, 1 ether));
        _pause(GUARDIAN, bits);
        vm.assertEq(pool.paused(), bits, "paused");

        bytes32 before = _books();
        if (bits & FUND != 0) vm.expectRevert(_paused(FUND));
        _fund(datanet, 1 ether);
        if (bits & SETTLE != 0) vm.expectRevert(_paused(SETTLE));
        vm.prank(WORKER);
        pool.settle(datanet, 1, 1, ROOT, 1 ether, _one(BOB, 1 ether));
        if (bits & CLAIM != 0) vm.expectRevert(_paused(CLAIM));
        vm.prank(ALICE);
        pool.claim(ALICE);
        vm.assertTrue((_books() == before) == (bits == 7), "only what is not paused happened");
    }

    function test_pauses_add_up_and_end_one_by_one() public {
        _pause(GUARDIAN, FUND);
        vm.expectEmit(address(pool));
        emit RewardPool.Paused(ADMIN, SETTLE);
        _pause(ADMIN, SETTLE);
        _pause(GUARDIAN, SETTLE);
        vm.assertEq(pool.paused(), FUND | SETTLE, "both");
        vm.expectEmit(address(pool));
        emit RewardPool.Unpaused(ADMIN, FUND);
        _unpause(FUND);
        vm.assertEq(pool.paused(), SETTLE, "one");
    }

    function test_a_pause_of_fund_and_settle_lasts_until_the_admin_ends_it() public {
        _pause(GUARDIAN, FUND | SETTLE);
        vm.warp(block.timestamp + 3650 days);
        vm.assertEq(pool.paused(), FUND | SETTLE, "still");
        _unpause(FUND | SETTLE);
        vm.assertEq(pool.paused(), 0, "ended");
    }

    function test_only_a_guardian_or_the_admin_pauses(address caller) public {
        vm.assume(caller != GUARDIAN && caller != ADMIN);
        vm.expectRevert(_unauthorised(caller));
        vm.prank(caller);
        pool.pause(SETTLE);
        vm.assertEq(pool.paused(), 0, "not paused");
    }

    function test_only_the_admin_ends_a_pause(address caller) public {
        vm.assume(caller != ADMIN);
        _pause(GUARDIAN, 7);
        vm.expectRevert(_unauthorised(caller));
        vm.prank(caller);
        pool.unpause(7);
        vm.expectRevert(_unauthorised(GUARDIAN));
        vm.prank(GUARDIAN);
        pool.unpause(SETTLE);
        vm.assertEq(pool.paused(), 7, "still paused");
    }

    function test_the_guardians_role_has_the_name_that_tools_look_for() public view {
        vm.assertEq(pool.GUARDIAN_ROLE(), keccak256("GUARDIAN_ROLE"), "role");
        vm.assertTrue(pool.hasRole(pool.GUARDIAN_ROLE(), GUARDIAN), "held");
    }

    function test_a_guardian_who_lost_the_role_pauses_no_more() public {
        bytes32 role = pool.GUARDIAN_ROLE();
        vm.prank(ADMIN);
        pool.revokeRole(role, GUARDIAN);
        vm.expectRevert(_unauthorised(GUARDIAN));
        vm.prank(GUARDIAN);
        pool.pause(SETTLE);
    }

    function test_bits_that_mean_nothing_are_refused(uint8 bits) public {
        bits = bits == 0 ? 0 : uint8(_between(bits, 8, 255));
        bytes memory refusal = _error(RewardPool.UnknownPauseBits.selector, abi.encode(bits));
        vm.expectRevert(refusal);
        vm.prank(GUARDIAN);
        pool.pause(bits);
        vm.expectRevert(refusal);
        vm.prank(ADMIN);
        pool.unpause(bits);
    }

    function test_a_pause_of_claim_ends_by_itself_after_seven_days() public {
        _settle(1 ether, _one(ALICE, 1 ether));
        uint256 start = block.timestamp;
        _pause(GUARDIAN, CLAIM);
        vm.assertEq(pool.claimPauseEnd(), start + 7 days, "its end is known");
        vm.warp(start + 7 days - 1);
        vm.expectRevert(_paused(CLAIM));
        vm.prank(ALICE);
        pool.claim(ALICE);
        vm.warp(start + 7 days);
        vm.assertEq(pool.paused(), 0, "ended");
        vm.prank(ALICE);
        pool.claim(ALICE);
        vm.assertEq(ALICE.balance, 1 ether, "paid");
    }

    function test_a_pause_of_claim_cannot_be_renewed_for_seven_days_after_its_end(uint256 when) public {
        uint256 start = block.timestamp;
        _pause(GUARDIAN, CLAIM);
        when = _between(when, start, start + 14 days - 1);
        vm.warp(when);
        uint8 before = pool.paused();
        // Not by the admin either, and not in company of another bit.
        _pauseTooSoon(ADMIN, CLAIM, start + 14 days);
        _pauseTooSoon(GUARDIAN, SETTLE | CLAIM, start + 14 days);
        vm.assertEq(pool.paused(), before, "no bit was set on the way");

        vm.warp(start + 14 days);
        _pause(GUARDIAN, CLAIM);
        vm.assertEq(pool.paused(), CLAIM, "paused again");
    }

    function test_the_first_pause_of_claim_waits_for_nothing_not_even_on_a_chain_of_yesterday() public {
        vm.warp(1 days);
        _pause(GUARDIAN, CLAIM);
        vm.assertEq(pool.paused(), CLAIM, "paused");
    }

    function test_a_pause_of_claim_that_the_admin_ends_counts_from_that_end() public {
        uint256 start = block.timestamp;
        _pause(GUARDIAN, CLAIM);
        vm.warp(start + 1 days);
        _unpause(CLAIM);
        vm.assertEq(pool.paused(), 0, "ended");
        vm.warp(start + 8 days - 1);
        _pauseTooSoon(GUARDIAN, CLAIM, start + 8 days);
        vm.warp(start + 8 days);
        _pause(GUARDIAN, CLAIM);
        vm.assertEq(pool.paused(), CLAIM, "paused again");
    }

    function test_ending_a_pause_of_claim_that_has_ended_puts_nothing_off() public {
        uint256 start = block.timestamp;
        _pause(GUARDIAN, CLAIM);
        vm.warp(start + 10 days);
        _unpause(CLAIM);
        vm.assertEq(pool.claimPauseEnd(), start + 7 days, "the end stays");
    }

    // --------------------------------------------------------------------------------------------------------- caps

    function test_there_is_no_cap_at_first() public {
        vm.assertEq(pool.maxBatch(), UNLIMITED, "batch");
        vm.assertEq(pool.maxWindow(), UNLIMITED, "window");
        vm.assertEq(pool.windowSeconds(), 1 days, "a day, once there is a cap");
        vm.assertEq(pool.windowAvailable(datanet), UNLIMITED, "available");
        _settle(100 ether, _one(ALICE, 100 ether));
    }

    function test_a_window_cap_that_nobody_can_reach_is_none() public {
        _setCaps(ADMIN, UNLIMITED, uint256(type(uint208).max) - 1, DAY);
        vm.assertEq(pool.maxWindow(), uint256(type(uint208).max) - 1, "the highest cap");
        vm.assertEq(pool.windowAvailable(datanet), uint256(type(uint208).max) - 1, "all of it");
        _setCaps(ADMIN, UNLIMITED, type(uint208).max, DAY);
        vm.assertEq(pool.maxWindow(), UNLIMITED, "none");
        vm.assertEq(pool.windowAvailable(datanet), UNLIMITED, "without end");
        _setCaps(ADMIN, UNLIMITED, uint256(type(uint208).max) + 7, DAY);
        vm.assertEq(pool.maxWindow(), UNLIMITED, "none, however high");
    }

    function test_a_batch_may_reach_its_cap_and_not_pass_it() public {
        _setCaps(ADMIN, 2 ether, UNLIMITED, DAY);
        uint256 total = 2 ether + 1;
        _settleReverts(
            _error(RewardPool.BatchCapExceeded.selector, abi.encode(2 ether, total)), total, _one(ALICE, total)
        );
        _settle(2 ether, _one(ALICE, 2 ether));
    }

    function test_a_window_may_reach_its_cap_and_not_pass_it() public {
        _setCaps(ADMIN, UNLIMITED, 5 ether, DAY);
        uint256 start = block.timestamp;
        _settle(3 ether, _one(ALICE, 3 ether));
        vm.warp(start + 10 hours);
        _settle(2 ether, _one(ALICE, 2 ether));
        _windowRefuses(0, 1);
        vm.warp(start + DAY - 1);
        _windowRefuses(0, 1);
        vm.warp(start + DAY);
        vm.assertEq(pool.windowAvailable(datanet), 3 ether, "the first settlement has left the window");
        _windowRefuses(3 ether, 3 ether + 1);
        _settle(3 ether, _one(ALICE, 3 ether));
        vm.warp(start + DAY + 10 hours);
        vm.assertEq(pool.windowAvailable(datanet), 2 ether, "and the second");
    }

    function test_receipts_that_owe_nothing_settle_when_the_caps_are_zero() public {
        _setCaps(GUARDIAN, 0, 0, DAY);
        _settleReverts(_error(RewardPool.BatchCapExceeded.selector, abi.encode(0, 1)), 1, _one(ALICE, 1));
        _settle(0, _none());
    }

    function test_datanets_do_not_share_a_window() public {
        _setCaps(ADMIN, UNLIMITED, 5 ether, DAY);
        _settle(5 ether, _one(ALICE, 5 ether));
        vm.prank(OTHER_WORKER);
        pool.settle(otherDatanet, 0, 0, ROOT, 5 ether, _one(ALICE, 5 ether));
        vm.assertEq(pool.windowAvailable(otherDatanet), 0, "other window");
    }

    /// The promise itself, counted by the test and not by the pool: whatever is tried, and whenever, no window of
    /// that length holds more than the cap.
    function test_no_window_ever_holds_more_than_its_cap(uint256 seed) public {
        uint256 cap = 10 ether;
        _setCaps(ADMIN, UNLIMITED, cap, DAY);
        uint256[] memory times = new uint256[](40);
        uint256[] memory totals = new uint256[](40);
        for (uint256 i; i < 40; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            vm.warp(block.timestamp + seed % (DAY / 3));
            uint256 total = _between(seed >> 64, 1, 6 ether);
            uint256 allowed = cap - _spentSince(times, totals, block.timestamp);
            vm.assertEq(pool.windowAvailable(datanet), allowed, "available");
            if (total > allowed) {
                _windowRefuses(allowed, total);
            } else if (total <= pool.funds(datanet)) {
                _settle(total, _one(ALICE, total));
                (times[i], totals[i]) = (block.timestamp, total);
            }
        }
    }

    function test_settlements_before_a_limit_was_set_do_not_count() public {
        _settle(50 ether, _one(ALICE, 50 ether));
        _setCaps(ADMIN, UNLIMITED, 5 ether, DAY);
        _settle(5 ether, _one(ALICE, 5 ether));
        _windowRefuses(0, 1);
    }

    function test_a_lower_cap_counts_what_was_settled_under_the_higher_one() public {
        _setCaps(ADMIN, UNLIMITED, 5 ether, DAY);
        _settle(4 ether, _one(ALICE, 4 ether));
        _setCaps(GUARDIAN, UNLIMITED, 3 ether, DAY);
        _windowRefuses(0, 1);
    }

    function test_the_admin_sets_caps() public {
        vm.expectEmit(address(pool));
        emit RewardPool.CapsSet(ADMIN, 1, 2, 3);
        _setCaps(ADMIN, 1, 2, 3);
        vm.assertEq(pool.maxBatch(), 1, "batch");
        vm.assertEq(pool.maxWindow(), 2, "window");
        vm.assertEq(pool.windowSeconds(), 3, "seconds");
        _setCaps(ADMIN, UNLIMITED, UNLIMITED, 1);
        _settle(100 ether, _one(ALICE, 100 ether));
    }

    function test_a_guardian_makes_caps_stricter_only(uint256 batch, uint256 window, uint48 length) public {
        _setCaps(ADMIN, 10 ether, 20 ether, DAY);
        vm.assume(length != 0);
        if (batch <= 10 ether && window <= 20 ether && length >= DAY) {
            _setCaps(GUARDIAN, batch, window, length);
            vm.assertEq(pool.maxBatch(), batch, "stricter");
            return;
        }
        vm.expectRevert(_error(RewardPool.OnlyAdminRaisesCaps.selector, ""));
        _setCaps(GUARDIAN, batch, window, length);
        _setCaps(ADMIN, batch, window, length);
    }

    function test_a_guardian_raises_not_a_single_cap() public {
        _setCaps(ADMIN, 10 ether, 20 ether, DAY);
        bytes memory refusal = _error(RewardPool.OnlyAdminRaisesCaps.selector, "");
        vm.expectRevert(refusal);
        _setCaps(GUARDIAN, 10 ether + 1, 20 ether, DAY);
        vm.expectRevert(refusal);
        _setCaps(GUARDIAN, 10 ether, 20 ether + 1, DAY);
        vm.expectRevert(refusal);
        _setCaps(GUARDIAN, 10 ether, 20 ether, DAY - 1);
        _setCaps(GUARDIAN, 10 ether, 20 ether, DAY);
        _setCaps(GUARDIAN, 10 ether - 1, 20 ether - 1, DAY + 1);
        vm.assertEq(pool.maxWindow(), 20 ether - 1, "lowered");
    }

    function test_no_guardian_raises_a_cap_wherever_its_address_lies(address guardian) public {
        vm.assume(guardian != ADMIN);
        bytes32 role = pool.GUARDIAN_ROLE();
        vm.prank(ADMIN);
        pool.grantRole(role, guardian);
        _setCaps(guardian, 10 ether, 20 ether, DAY);
        vm.expectRevert(_error(RewardPool.OnlyAdminRaisesCaps.selector, ""));
        _setCaps(guardian, 10 ether + 1, 20 ether, DAY);
    }

    function test_nobody_else_sets_caps(address caller) public {
        vm.assume(caller != ADMIN && caller != GUARDIAN);
        vm.expectRevert(_unauthorised(caller));
        _setCaps(caller, 0, 0, DAY);
    }

    function test_a_window_without_length_is_refused() public {
        vm.expectRevert(_error(RewardPool.ZeroWindow.selector, ""));
        _setCaps(ADMIN, 1, 1, 0);
    }

    function test_the_longest_window_counts_everything() public {
        _setCaps(ADMIN, UNLIMITED, 5 ether, type(uint48).max);
        _settle(4 ether, _one(ALICE, 4 ether));
        vm.warp(block.timestamp + 3650 days);
        _windowRefuses(1 ether, 2 ether);
    }

    // -------------------------------------------------------------------------------------------------------- admin

    function test_the_admins_role_moves_in_two_steps_and_not_before_its_delay() public {
        uint256 due = block.timestamp + 1 days;
        vm.prank(ADMIN);
        pool.beginDefaultAdminTransfer(STRANGER);
        vm.assertEq(pool.defaultAdmin(), ADMIN, "still the old admin");
        vm.warp(due);
        vm.expectRevert(
            _error(
                IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminDelay.selector, abi.encode(uint48(due))
            )
        );
        vm.prank(STRANGER);
        pool.acceptDefaultAdminTransfer();
        vm.warp(due + 1);
        vm.prank(STRANGER);
        pool.acceptDefaultAdminTransfer();
        vm.assertEq(pool.defaultAdmin(), STRANGER, "the new admin");
        vm.expectRevert(_unauthorised(ADMIN));
        _unpause(FUND);
        vm.expectRevert(_unauthorised(ADMIN));
        _setCaps(ADMIN, 0, 0, DAY);
    }

    function test_only_who_was_offered_the_admins_role_takes_it_and_the_offer_may_be_withdrawn() public {
        vm.prank(ADMIN);
        pool.beginDefaultAdminTransfer(STRANGER);
        vm.warp(block.timestamp + 1 days + 1);
        _takesNoAdmin(GUARDIAN);
        vm.prank(ADMIN);
        pool.cancelDefaultAdminTransfer();
        _takesNoAdmin(STRANGER);
        vm.assertEq(pool.defaultAdmin(), ADMIN, "the same admin");
    }

    function test_there_is_one_admin_and_nobody_else_offers_its_role(address caller) public {
        vm.assume(caller != ADMIN);
        vm.expectRevert(_unauthorised(caller));
        vm.prank(caller);
        pool.beginDefaultAdminTransfer(caller);
        vm.expectRevert(_error(IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminRules.selector, ""));
        vm.prank(ADMIN);
        pool.grantRole(bytes32(0), caller);
    }

    // ------------------------------------------------------------------------------------------------------ helpers

    function _takesNoAdmin(address caller) private {
        vm.expectRevert(
            _error(IAccessControlDefaultAdminRules.AccessControlInvalidDefaultAdmin.selector, abi.encode(caller))
        );
        vm.prank(caller);
        pool.acceptDefaultAdminTransfer();
    }

    function _pause(address caller, uint8 bits) private {
        vm.prank(caller);
        pool.pause(bits);
    }

    function _unpause(uint8 bits) private {
        vm.prank(ADMIN);
        pool.unpause(bits);
    }

    function _pauseTooSoon(address caller, uint8 bits, uint256 allowedFrom) private {
        vm.expectRevert(_error(RewardPool.ClaimPauseTooSoon.selector, abi.encode(allowedFrom)));
        _pause(caller, bits);
    }

    function _setCaps(address caller, uint256 batch, uint256 window, uint48 length) private {
        vm.prank(caller);
        pool.setCaps(batch, window, length);
    }

    function _windowRefuses(uint256 available, uint256 total) private {
        _settleReverts(
            _error(RewardPool.WindowCapExceeded.selector, abi.encode(available, total)), total, _one(ALICE, total)
        );
    }

    function _spentSince(uint256[] memory times, uint256[] memory totals, uint256 end)
        private
        pure
        returns (uint256 spent)
    {
        for (uint256 i; i < times.length; ++i) {
            if (times[i] + DAY > end) spent += totals[i];
        }
    }

    function _paused(uint8 bit) private pure returns (bytes memory) {
        return _error(RewardPool.IsPaused.selector, abi.encode(bit));
    }

    function _unauthorised(address caller) private pure returns (bytes memory) {
        return _error(IAccessControl.AccessControlUnauthorizedAccount.selector, abi.encode(caller, bytes32(0)));
    }
}
