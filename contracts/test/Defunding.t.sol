// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {RewardPool} from "../src/RewardPool.sol";
import {_callOrBubble, Claimant, TestToken} from "./Mocks.sol";
import {PoolBase} from "./PoolBase.sol";

/// Claims what it is credited while it is paid something else, once.
contract Greedy {
    RewardPool private immutable pool;
    bool private done;

    constructor(RewardPool pool_) {
        pool = pool_;
    }

    receive() external payable {
        if (done) return;
        done = true;
        _callOrBubble(address(pool), abi.encodeCall(RewardPool.claim, (address(this))));
    }
}

/// What an owner may take back: what is not credited, after a week, and nobody else's.
contract DefundingTest is PoolBase {
    uint256 private start;

    function setUp() public override {
        super.setUp();
        start = block.timestamp;
    }

    function test_an_owner_takes_back_what_is_not_credited_after_a_week() public {
        _ask(30 ether);
        vm.warp(start + 7 days);
        _take(CAROL);
        vm.assertEq(CAROL.balance, 30 ether, "paid back");
        vm.assertEq(pool.funds(datanet), 70 ether, "the rest stays");
        vm.assertEq(pool.totalFunds(), 120 ether, "the sum follows");
        vm.assertEq(pool.funds(otherDatanet), 50 ether, "another's funds are as they were");
    }

    function test_it_takes_a_week_and_lapses_after_another() public {
        _ask(1 ether);
        bytes memory refusal = _error(RewardPool.DefundingNotNow.selector, abi.encode(start + 7 days, start + 14 days));
        vm.warp(start + 7 days - 1);
        _takeReverts(refusal, CAROL);
        vm.warp(start + 14 days);
        _takeReverts(refusal, CAROL);
        vm.warp(start + 14 days - 1);
        _take(CAROL);
        vm.assertEq(CAROL.balance, 1 ether, "in its last second");
    }

    function test_a_request_pays_once() public {
        _ask(1 ether);
        vm.warp(start + 7 days);
        _take(CAROL);
        _takeReverts(_error(RewardPool.NoDefunding.selector, abi.encode(datanet)), CAROL);
    }

    function test_settlements_go_on_and_come_first() public {
        _ask(100 ether);
        _settle(60 ether, _one(ALICE, 60 ether));
        vm.warp(start + 7 days);
        _take(CAROL);
        vm.assertEq(CAROL.balance, 40 ether, "only what is left");
        vm.assertEq(pool.credit(ALICE), 60 ether, "credit stays");
        vm.assertEq(pool.totalCredit(), 60 ether, "its sum too");
        vm.prank(ALICE);
        pool.claim(ALICE);
        vm.assertEq(ALICE.balance, 60 ether, "and is paid");
    }

    function test_who_asks_for_more_than_there_is_asks_for_all_of_it() public {
        vm.expectEmit(address(pool));
        emit RewardPool.DefundingRequested(datanet, OWNER, 100 ether, uint64(start + 7 days), uint64(start + 14 days));
        _ask(UNLIMITED);
        vm.warp(start + 7 days);
        _take(CAROL);
        vm.assertEq(CAROL.balance, 100 ether, "all of it");
    }

    function test_money_put_in_after_a_request_waits_for_one_of_its_own() public {
        _ask(UNLIMITED);
        vm.warp(start + 7 days);
        _fund(datanet, 9 ether);
        _take(CAROL);
        vm.assertEq(CAROL.balance, 100 ether, "what was there when it was asked for");
        vm.assertEq(pool.funds(datanet), 9 ether, "the rest stays");
    }

    function test_where_nothing_is_there_is_nothing_to_ask_for() public {
        _settle(100 ether, _one(ALICE, 100 ether));
        vm.expectRevert(_error(RewardPool.InsufficientFunds.selector, abi.encode(0, 1 ether)));
        vm.prank(OWNER);
        pool.requestDefunding(datanet, 1 ether);
    }

    function test_where_everything_is_credited_nothing_is_taken() public {
        _ask(1 ether);
        _settle(100 ether, _one(ALICE, 100 ether));
        vm.warp(start + 7 days);
        _takeReverts(_error(RewardPool.InsufficientFunds.selector, abi.encode(0, 1 ether)), CAROL);
    }

    function test_a_second_request_takes_the_place_of_the_first_and_waits_anew() public {
        _ask(1 ether);
        vm.warp(start + 6 days);
        _ask(2 ether);
        vm.warp(start + 7 days);
        _takeReverts(_error(RewardPool.DefundingNotNow.selector, abi.encode(start + 13 days, start + 20 days)), CAROL);
        vm.warp(start + 13 days);
        _take(CAROL);
        vm.assertEq(CAROL.balance, 2 ether, "the second amount, once");
    }

    function test_an_owner_may_think_better_of_it() public {
        _ask(1 ether);
        vm.prank(OWNER);
        pool.cancelDefunding(datanet);
        vm.warp(start + 7 days);
        _takeReverts(_error(RewardPool.NoDefunding.selector, abi.encode(datanet)), CAROL);
        vm.expectRevert(_error(RewardPool.NoDefunding.selector, abi.encode(datanet)));
        vm.prank(OWNER);
        pool.cancelDefunding(datanet);
    }

    function test_only_the_owner_asks_cancels_and_takes(address caller) public {
        vm.assume(caller != OWNER);
        _ask(1 ether);
        vm.warp(start + 7 days);
        bytes memory refusal = _error(RewardPool.NotOwner.selector, abi.encode(datanet, caller));
        vm.expectRevert(refusal);
        vm.prank(caller);
        pool.requestDefunding(datanet, 1);
        vm.expectRevert(refusal);
        vm.prank(caller);
        pool.cancelDefunding(datanet);
        vm.expectRevert(refusal);
        vm.prank(caller);
        pool.defund(datanet, caller);
    }

    function test_neither_admin_guardian_nor_worker_defunds() public {
        _ask(1 ether);
        vm.warp(start + 7 days);
        address[4] memory others = [ADMIN, GUARDIAN, WORKER, OTHER_OWNER];
        for (uint256 i; i < others.length; ++i) {
            vm.expectRevert(_error(RewardPool.NotOwner.selector, abi.encode(datanet, others[i])));
            vm.prank(others[i]);
            pool.defund(datanet, others[i]);
        }
    }

    function test_what_a_former_owner_asked_for_is_void_even_for_its_return() public {
        _ask(1 ether);
        _hand(OWNER, STRANGER);
        vm.warp(start + 7 days);
        bytes memory refusal = _error(RewardPool.NoDefunding.selector, abi.encode(datanet));
        vm.expectRevert(refusal);
        vm.prank(STRANGER);
        pool.defund(datanet, STRANGER);
        _hand(STRANGER, OWNER);
        _takeReverts(refusal, CAROL);
    }

    function test_nothing_of_nothing_is_asked_for_and_nowhere_is_no_place() public {
        vm.expectRevert(_error(RewardPool.ZeroAmount.selector, ""));
        vm.prank(OWNER);
        pool.requestDefunding(datanet, 0);
        _ask(1 ether);
        vm.warp(start + 7 days);
        _takeReverts(_error(RewardPool.BadRecipient.selector, abi.encode(address(0))), address(0));
        _takeReverts(_error(RewardPool.BadRecipient.selector, abi.encode(address(pool))), address(pool));
        _take(CAROL);
    }

    function test_no_pause_keeps_an_owners_money() public {
        _ask(1 ether);
        vm.warp(start + 7 days);
        vm.prank(ADMIN);
        pool.pause(7);
        _take(CAROL);
        vm.assertEq(CAROL.balance, 1 ether, "paid back");
    }

    function test_a_recipient_that_does_not_take_it_leaves_everything_as_it_was() public {
        Claimant refusing = new Claimant(pool);
        refusing.set(Claimant.Mode.Refuse);
        _ask(1 ether);
        vm.warp(start + 7 days);
        vm.expectRevert(_error(Claimant.DoesNotTake.selector, ""));
        vm.prank(OWNER);
        pool.defund(datanet, address(refusing));
        vm.assertEq(pool.funds(datanet), 100 ether, "funds");
        _take(CAROL);
        vm.assertEq(CAROL.balance, 1 ether, "and it may go elsewhere");
    }

    function test_a_recipient_cannot_claim_while_money_is_taken_back() public {
        Claimant claimant = new Claimant(pool);
        claimant.set(Claimant.Mode.ClaimAgain);
        _settle(3 ether, _one(address(claimant), 3 ether));
        _ask(1 ether);
        vm.warp(start + 7 days);
        _takeReverts(_error(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, ""), address(claimant));
        vm.assertEq(pool.credit(address(claimant)), 3 ether, "its credit waits");
        claimant.set(Claimant.Mode.Take);
        claimant.claim();
        vm.assertEq(address(claimant).balance, 3 ether, "and is paid by itself");
    }

    function test_a_recipient_that_burns_all_gas_harms_nobody_else() public {
        Claimant burning = new Claimant(pool);
        burning.set(Claimant.Mode.BurnGas);
        _settle(3 ether, _one(ALICE, 3 ether));
        _ask(1 ether);
        vm.warp(start + 7 days);
        vm.prank(OWNER);
        (bool ok,) = address(pool).call{gas: 500_000}(abi.encodeCall(RewardPool.defund, (datanet, address(burning))));
        vm.assertFalse(ok, "refused");
        vm.assertEq(pool.funds(datanet), 97 ether, "funds");
        vm.prank(ALICE);
        pool.claim(ALICE);
        vm.assertEq(ALICE.balance, 3 ether, "another is paid");
        _take(CAROL);
        vm.assertEq(CAROL.balance, 1 ether, "and the money may go elsewhere");
    }

    function test_a_recipient_cannot_claim_in_the_middle_of_being_paid_back() public {
        Greedy greedy = new Greedy(pool);
        _settle(1 ether, _one(address(greedy), 1 ether));
        _ask(1 ether);
        vm.warp(start + 7 days);
        _takeReverts(_error(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, ""), address(greedy));
    }

    function test_a_token_pool_pays_tokens_back() public {
        TestToken token = new TestToken();
        pool = _newPool(address(token));
        token.mint(FUNDER, 10 ether);
        vm.prank(FUNDER);
        token.approve(address(pool), UNLIMITED);
        vm.prank(FUNDER);
        pool.fund(datanet, 10 ether);
        _ask(4 ether);
        vm.warp(start + 7 days);
        _take(CAROL);
        vm.assertEq(token.balanceOf(CAROL), 4 ether, "tokens");
        vm.assertEq(token.balanceOf(address(pool)), 6 ether, "the rest");
    }

    function test_asking_cancelling_and_taking_tell_who_and_how_much() public {
        vm.expectEmit(address(pool));
        emit RewardPool.DefundingRequested(datanet, OWNER, 3 ether, uint64(start + 7 days), uint64(start + 14 days));
        _ask(3 ether);
        vm.expectEmit(address(pool));
        emit RewardPool.DefundingCancelled(datanet, OWNER);
        vm.prank(OWNER);
        pool.cancelDefunding(datanet);
        _ask(200 ether);
        vm.warp(start + 7 days);
        vm.expectEmit(address(pool));
        emit RewardPool.Defunded(datanet, OWNER, CAROL, 100 ether);
        _take(CAROL);
    }

    function test_what_is_asked_for_can_be_read() public {
        _ask(3 ether);
        (uint256 amount, uint64 from, uint64 until, uint64 epoch) = pool.defundings(datanet);
        vm.assertEq(amount, 3 ether, "amount");
        vm.assertEq(from, start + 7 days, "from");
        vm.assertEq(until, start + 14 days, "until");
        vm.assertEq(epoch, 0, "epoch");
    }

    function _ask(uint256 amount) private {
        vm.prank(OWNER);
        pool.requestDefunding(datanet, amount);
    }

    function _take(address to) private {
        vm.prank(OWNER);
        pool.defund(datanet, to);
    }

    function _takeReverts(bytes memory refusal, address to) private {
        uint256 before = pool.funds(datanet);
        vm.expectRevert(refusal);
        vm.prank(OWNER);
        pool.defund(datanet, to);
        vm.assertEq(pool.funds(datanet), before, "a refused defunding changes nothing");
    }

    function _hand(address from, address to) private {
        vm.prank(from);
        registry.transferOwnership(datanet, to);
        vm.prank(to);
        registry.acceptOwnership(datanet);
    }
}
