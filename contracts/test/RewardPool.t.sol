// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {RewardPool} from "../src/RewardPool.sol";
import {BonusToken, Claimant, FeeToken, Forcer, HookToken, RefusingToken, TestToken} from "./Mocks.sol";
import {PoolBase} from "./PoolBase.sol";

contract RewardPoolTest is PoolBase {
    // ------------------------------------------------------------------------------------------------ construction

    function test_a_pool_fixes_its_token_and_registry() public {
        address token = address(new TestToken());
        vm.assertEq(address(_newPool(token).token()), token, "token");
        vm.assertEq(address(pool.token()), address(0), "native coin");
        vm.assertEq(address(pool.registry()), address(registry), "registry");
        vm.assertEq(pool.defaultAdmin(), ADMIN, "admin");
        vm.assertEq(pool.defaultAdminDelay(), 1 days, "delay");
    }

    function test_a_token_without_code_is_refused() public {
        vm.expectRevert(_error(RewardPool.NoCode.selector, abi.encode(STRANGER)));
        new RewardPool(STRANGER, address(registry), ADMIN, 0);
    }

    function test_a_registry_without_code_is_refused() public {
        vm.expectRevert(_error(RewardPool.NoCode.selector, abi.encode(STRANGER)));
        new RewardPool(address(0), STRANGER, ADMIN, 0);
    }

    // --------------------------------------------------------------------------------------------------------- fund

    function test_funds_are_kept_per_datanet() public {
        vm.expectEmit(address(pool));
        emit RewardPool.Funded(datanet, FUNDER, 7 ether);
        _fund(datanet, 7 ether);
        vm.assertEq(pool.funds(datanet), 107 ether, "funds");
        vm.assertEq(pool.funds(otherDatanet), 50 ether, "other funds");
        vm.assertEq(pool.totalFunds(), 157 ether, "total");
    }

    function test_an_unregistered_datanet_cannot_be_funded(bytes32 id) public {
        vm.assume(id != datanet && id != otherDatanet);
        _fundReverts(_error(RewardPool.UnknownDatanet.selector, abi.encode(id)), id, 1 ether, 1 ether);
    }

    function test_nothing_cannot_be_funded() public {
        _fundReverts(_error(RewardPool.ZeroAmount.selector, ""), datanet, 0, 0);
    }

    function test_the_coin_sent_must_equal_the_amount(uint96 amount, uint96 value) public {
        vm.assume(amount != value && amount != 0 && value <= FUNDER.balance);
        _fundReverts(_error(RewardPool.AmountMismatch.selector, abi.encode(amount, value)), datanet, amount, value);
    }

    function test_a_plain_transfer_of_coin_is_refused() public {
        vm.prank(FUNDER);
        (bool ok,) = address(pool).call{value: 1 ether}("");
        vm.assertFalse(ok, "refused");
    }

    function test_a_token_pool_takes_exactly_the_amount() public {
        TestToken token = new TestToken();
        _useToken(token);
        vm.prank(FUNDER);
        pool.fund(datanet, 5 ether);
        vm.assertEq(token.balanceOf(address(pool)), 5 ether, "balance");
        vm.assertEq(pool.funds(datanet), 5 ether, "funds");
    }

    function test_a_token_pool_refuses_coin() public {
        _useToken(new TestToken());
        _fundReverts(_error(RewardPool.UnexpectedValue.selector, abi.encode(1)), datanet, 5 ether, 1);
    }

    function test_a_token_that_keeps_a_fee_is_refused() public {
        _useToken(new FeeToken());
        _fundReverts(_error(RewardPool.AmountMismatch.selector, abi.encode(5 ether, 4.95 ether)), datanet, 5 ether, 0);
    }

    function test_a_token_that_adds_a_bonus_is_refused() public {
        _useToken(new BonusToken());
        _fundReverts(_error(RewardPool.AmountMismatch.selector, abi.encode(5 ether, 5.05 ether)), datanet, 5 ether, 0);
    }

    function test_a_token_cannot_reenter_while_it_is_taken() public {
        HookToken token = new HookToken();
        _useToken(token);
        bytes memory refusal = _error(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, "");
        token.arm(pool, abi.encodeCall(RewardPool.fund, (datanet, 1)));
        _fundReverts(refusal, datanet, 5 ether, 0);
        token.arm(pool, abi.encodeCall(RewardPool.claim, (STRANGER)));
        _fundReverts(refusal, datanet, 5 ether, 0);
    }

    // ------------------------------------------------------------------------------------------------------- settle

    function test_a_settlement_credits_every_entry_and_keeps_its_record() public {
        bytes32[] memory entries = _two(_entry(ALICE, 3 ether), _entry(BOB, 4 ether));
        bytes32 id = keccak256(abi.encode(block.chainid, address(pool), datanet, uint64(0), uint64(16), ROOT));
        vm.expectEmit(address(pool));
        emit RewardPool.BatchSettled(id, datanet, 0, 16, ROOT, 7 ether, 2);
        vm.assertEq(_settle(0, 16, 7 ether, entries), id, "batch id");

        vm.assertEq(pool.credit(ALICE), 3 ether, "alice");
        vm.assertEq(pool.credit(BOB), 4 ether, "bob");
        vm.assertEq(pool.funds(datanet), 93 ether, "funds");
        vm.assertEq(pool.totalFunds(), 143 ether, "total funds");
        vm.assertEq(pool.totalCredit(), 7 ether, "total credit");
        vm.assertEq(pool.cursor(datanet), 17, "cursor");
        vm.assertEq(pool.batchAt(datanet, 0), id, "batch at 0");
        RewardPool.Batch memory batch = pool.batches(id);
        vm.assertEq(batch.digest, keccak256(abi.encode(7 ether, entries)), "digest");
        vm.assertEq(batch.receiptsRoot, ROOT, "root");
        vm.assertEq(batch.first, 0, "first");
        vm.assertEq(batch.last, 16, "last");
        vm.assertEq(batch.at, block.timestamp, "at");
    }

    function test_an_unknown_batch_is_all_zero(bytes32 id) public view {
        RewardPool.Batch memory batch = pool.batches(id);
        vm.assertEq(keccak256(abi.encode(batch)), keccak256(new bytes(160)), "zero");
    }

    function test_credits_of_two_batches_add_up() public {
        _settle(1 ether, _one(ALICE, 1 ether));
        _settle(2 ether, _one(ALICE, 2 ether));
        vm.assertEq(pool.credit(ALICE), 3 ether, "alice");
    }

    function test_any_valid_batch_credits_exactly_its_amounts(uint256 seed, uint256 count) public {
        count = _between(count, 0, 40);
        bytes32[] memory entries = new bytes32[](count);
        uint256 total;
        uint160 account;
        for (uint256 i; i < count; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            account += uint160(_between(seed, 1, type(uint160).max / 41));
            uint256 amount = _between(seed >> 160, 1, 1 ether);
            entries[i] = _entry(address(account), amount);
            total += amount;
        }
        _settle(total, entries);
        for (uint256 i; i < count; ++i) {
            vm.assertEq(pool.credit(address(bytes20(entries[i]))), uint96(uint256(entries[i])), "credit");
        }
        vm.assertEq(pool.totalCredit(), total, "total credit");
        vm.assertEq(pool.funds(datanet), 100 ether - total, "funds");
    }

    function test_an_entry_holds_the_largest_amount_and_the_last_address() public {
        uint256 largest = type(uint96).max;
        vm.deal(FUNDER, largest);
        _fund(datanet, largest);
        _settle(largest, _one(address(type(uint160).max), largest));
        vm.assertEq(pool.credit(address(type(uint160).max)), largest, "credit");
    }

    function test_receipts_that_owe_nothing_settle_without_entries() public {
        bytes32 id = _settle(0, 9, 0, _none());
        vm.assertEq(pool.cursor(datanet), 10, "cursor");
        vm.assertEq(pool.batches(id).digest, keccak256(abi.encode(uint256(0), _none())), "digest");
        vm.assertEq(pool.funds(datanet), 100 ether, "funds");
    }

    function test_entries_without_a_total_and_a_total_without_entries_are_refused() public {
        _settleReverts(_error(RewardPool.TotalMismatch.selector, abi.encode(0, 1)), 0, _one(ALICE, 1));
        _settleReverts(_error(RewardPool.TotalMismatch.selector, abi.encode(1, 0)), 1, _none());
    }

    function test_a_total_that_is_not_the_sum_is_refused(uint256 total) public {
        total = _between(total, 0, 100 ether);
        vm.assume(total != 3);
        bytes32[] memory entries = _two(_entry(ALICE, 1), _entry(BOB, 2));
        _settleReverts(_error(RewardPool.TotalMismatch.selector, abi.encode(total, 3)), total, entries);
    }

    function test_unsorted_entries_are_refused() public {
        bytes32[] memory entries = _two(_entry(BOB, 1), _entry(ALICE, 2));
        _settleReverts(_error(RewardPool.NotAscending.selector, abi.encode(1)), 3, entries);
    }

    function test_an_account_named_twice_is_refused() public {
        bytes32[] memory entries = _two(_entry(ALICE, 1), _entry(ALICE, 2));
        _settleReverts(_error(RewardPool.NotAscending.selector, abi.encode(1)), 3, entries);
    }

    function test_no_order_but_the_ascending_one_is_taken(uint160[5] memory accounts) public {
        bytes32[] memory entries = new bytes32[](5);
        uint256 wrong;
        for (uint256 i; i < 5; ++i) {
            entries[i] = _entry(address(accounts[i]), 1);
            if (wrong == 0 && i > 0 && accounts[i] <= accounts[i - 1]) wrong = i;
        }
        vm.assume(wrong != 0 && accounts[0] != 0);
        bytes memory refusal = accounts[wrong] == 0
            ? _error(RewardPool.ZeroAccount.selector, "")
            : _error(RewardPool.NotAscending.selector, abi.encode(wrong));
        _settleReverts(refusal, 5, entries);
    }

    function test_the_zero_account_is_refused_anywhere() public {
        bytes memory refusal = _error(RewardPool.ZeroAccount.selector, "");
        _settleReverts(refusal, 1, _one(address(0), 1));
        _settleReverts(refusal, 3, _two(_entry(ALICE, 1), _entry(address(0), 2)));
    }

    function test_an_entry_without_an_amount_is_refused() public {
        bytes32[] memory entries = _two(_entry(ALICE, 1), _entry(BOB, 0));
        _settleReverts(_error(RewardPool.ZeroEntry.selector, abi.encode(1)), 1, entries);
    }

    function test_five_hundred_entries_settle_and_one_more_is_refused() public {
        bytes32[] memory tooMany = _many(1_000_000, 501, 1);
        _settleReverts(_error(RewardPool.TooManyEntries.selector, abi.encode(501)), 501, tooMany);
        _settle(500, _many(1_000_000, 500, 1));
        vm.assertEq(pool.totalCredit(), 500, "total credit");
    }

    function test_a_batch_cannot_spend_more_than_its_datanet_holds() public {
        uint256 total = 100 ether + 1;
        _settleReverts(
            _error(RewardPool.InsufficientFunds.selector, abi.encode(100 ether, total)), total, _one(ALICE, total)
        );
        _settle(100 ether, _one(ALICE, 100 ether));
        vm.assertEq(pool.funds(datanet), 0, "all spent");
        vm.assertEq(pool.funds(otherDatanet), 50 ether, "the other Datanet's funds are untouched");
    }

    function test_a_batch_without_a_root_is_refused() public {
        vm.expectRevert(_error(RewardPool.ZeroReceiptsRoot.selector, ""));
        vm.prank(WORKER);
        pool.settle(datanet, 0, 0, 0, 0, _none());
    }

    // ------------------------------------------------------------------------------------------- cursor and replays

    function test_a_settled_range_cannot_be_settled_again() public {
        bytes32[] memory entries = _one(ALICE, 1 ether);
        _settle(0, 4, 1 ether, entries);
        _settleReverts(_error(RewardPool.BadCursor.selector, abi.encode(5, 0)), 0, 4, 1 ether, entries);
    }

    function test_a_settled_receipt_cannot_be_settled_in_another_range(uint64 first, uint64 last) public {
        _settle(0, 4, 1 ether, _one(ALICE, 1 ether));
        first = uint64(_between(first, 0, 4));
        last = uint64(_between(last, first, type(uint64).max - 1));
        _settleReverts(_error(RewardPool.BadCursor.selector, abi.encode(5, first)), first, last, 0, _none());
    }

    function test_no_receipt_is_skipped(uint64 first) public {
        vm.assume(first != 0);
        _settleReverts(_error(RewardPool.BadCursor.selector, abi.encode(0, first)), first, first, 0, _none());
    }

    function test_a_range_ends_at_or_after_its_beginning() public {
        _settle(0, 4, 0, _none());
        _settleReverts(_error(RewardPool.BadRange.selector, abi.encode(5, 4)), 5, 4, 0, _none());
    }

    function test_the_last_number_is_refused_so_that_the_cursor_cannot_wrap() public {
        uint64 highest = type(uint64).max;
        _settleReverts(_error(RewardPool.BadRange.selector, abi.encode(0, highest)), 0, highest, 0, _none());
        _settle(0, highest - 1, 0, _none());
        vm.assertEq(pool.cursor(datanet), highest, "cursor");
        _settleReverts(_error(RewardPool.BadRange.selector, abi.encode(highest, highest)), highest, highest, 0, _none());
    }

    function test_datanets_count_apart() public {
        _settle(0, 4, 1 ether, _one(ALICE, 1 ether));
        vm.assertEq(pool.cursor(otherDatanet), 0, "other cursor");
        vm.prank(OTHER_WORKER);
        bytes32 id = pool.settle(otherDatanet, 0, 4, ROOT, 1 ether, _one(ALICE, 1 ether));
        vm.assertTrue(id != pool.batchAt(datanet, 0), "another batch");
        vm.assertEq(pool.credit(ALICE), 2 ether, "both credited");
    }

    function test_a_batch_has_another_id_in_another_pool_or_chain() public {
        bytes32 id = _settle(0, 0, 0, _none());
        pool = _newPool(address(0));
        bytes32 elsewhere = _settle(0, 0, 0, _none());
        vm.assertTrue(id != elsewhere, "another pool");
        pool = _newPool(address(0));
        vm.chainId(161201);
        vm.assertEq(
            _settle(0, 0, 0, _none()),
            keccak256(abi.encode(uint256(161201), address(pool), datanet, uint64(0), uint64(0), ROOT)),
            "another chain"
        );
    }

    // ---------------------------------------------------------------------------------------------- who may settle

    function test_only_a_distributor_of_the_datanet_settles_it(address caller) public {
        vm.assume(caller != WORKER);
        _settleAsReverts(caller, datanet);
    }

    function test_neither_admin_guardian_owner_nor_another_datanets_worker_settles() public {
        _settleAsReverts(ADMIN, datanet);
        _settleAsReverts(GUARDIAN, datanet);
        _settleAsReverts(OWNER, datanet);
        _settleAsReverts(OTHER_WORKER, datanet);
        _settleAsReverts(WORKER, otherDatanet);
    }

    function test_nobody_settles_an_unregistered_datanet(bytes32 id) public {
        vm.assume(id != datanet && id != otherDatanet);
        _settleAsReverts(WORKER, id);
    }

    function test_a_revoked_worker_no_longer_settles() public {
        vm.prank(OWNER);
        registry.setDistributor(datanet, WORKER, false);
        _settleAsReverts(WORKER, datanet);
    }

    function test_a_new_owner_ends_the_old_workers_right_and_keeps_funds_and_cursor() public {
        _settle(0, 4, 1 ether, _one(ALICE, 1 ether));
        vm.prank(OWNER);
        registry.transferOwnership(datanet, STRANGER);
        vm.prank(STRANGER);
        registry.acceptOwnership(datanet);
        _settleAsReverts(WORKER, datanet);
        vm.prank(STRANGER);
        registry.setDistributor(datanet, WORKER, true);
        _settle(5, 5, 1 ether, _one(ALICE, 1 ether));
        vm.assertEq(pool.funds(datanet), 98 ether, "funds");
    }

    function test_the_admin_cannot_be_given_a_role_that_settles_or_pays(bytes32 role) public {
        vm.assume(role != 0);
        vm.prank(ADMIN);
        pool.grantRole(role, STRANGER);
        _settleAsReverts(STRANGER, datanet);
        vm.expectRevert(_error(RewardPool.NoCredit.selector, abi.encode(STRANGER)));
        vm.prank(STRANGER);
        pool.claim(STRANGER);
    }

    // -------------------------------------------------------------------------------------------------------- claim

    function test_a_claim_pays_the_whole_credit_to_the_named_address() public {
        _settle(7 ether, _two(_entry(ALICE, 3 ether), _entry(BOB, 4 ether)));
        vm.expectEmit(address(pool));
        emit RewardPool.Claimed(ALICE, CAROL, 3 ether);
        vm.prank(ALICE);
        pool.claim(CAROL);
        vm.assertEq(CAROL.balance, 3 ether, "paid");
        vm.assertEq(pool.credit(ALICE), 0, "credit spent");
        vm.assertEq(pool.credit(BOB), 4 ether, "nobody else's credit");
        vm.assertEq(pool.totalCredit(), 4 ether, "total credit");
        vm.assertEq(pool.totalFunds(), 143 ether, "total funds");
    }

    function test_a_second_claim_finds_nothing() public {
        _settle(3 ether, _one(ALICE, 3 ether));
        vm.prank(ALICE);
        pool.claim(ALICE);
        _claimReverts(_error(RewardPool.NoCredit.selector, abi.encode(ALICE)), ALICE, ALICE);
    }

    function test_an_account_without_credit_claims_nothing(address account) public {
        _claimReverts(_error(RewardPool.NoCredit.selector, abi.encode(account)), account, CAROL);
    }

    function test_a_claim_to_nobody_or_to_the_pool_is_refused() public {
        _settle(3 ether, _one(ALICE, 3 ether));
        _claimReverts(_error(RewardPool.BadRecipient.selector, abi.encode(address(0))), ALICE, address(0));
        _claimReverts(_error(RewardPool.BadRecipient.selector, abi.encode(address(pool))), ALICE, address(pool));
    }

    function test_a_claimant_cannot_claim_twice_in_one_claim() public {
        Claimant claimant = _creditedClaimant(Claimant.Mode.ClaimAgain);
        bytes32 before = _books();
        vm.expectRevert(_error(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, ""));
        claimant.claim();
        vm.assertEq(_books(), before, "nothing changed");
        vm.assertEq(pool.credit(address(claimant)), 3 ether, "credit stays");
    }

    function test_a_claimant_that_refuses_coin_keeps_its_credit_and_harms_nobody() public {
        Claimant claimant = _creditedClaimant(Claimant.Mode.Refuse);
        vm.expectRevert(_error(Claimant.DoesNotTake.selector, ""));
        claimant.claim();
        claimant.set(Claimant.Mode.RefuseSilently);
        vm.expectRevert(_error(Errors.FailedCall.selector, ""));
        claimant.claim();
        vm.assertEq(pool.credit(address(claimant)), 3 ether, "credit stays");

        _settle(1 ether, _one(ALICE, 1 ether));
        vm.prank(ALICE);
        pool.claim(ALICE);
        vm.assertEq(ALICE.balance, 1 ether, "another account is paid");
        claimant.set(Claimant.Mode.Take);
        claimant.claim();
        vm.assertEq(address(claimant).balance, 3 ether, "paid once it takes coin");
    }

    function test_a_claimant_that_burns_all_gas_keeps_its_credit_and_harms_nobody() public {
        Claimant claimant = _creditedClaimant(Claimant.Mode.BurnGas);
        _settle(1 ether, _one(ALICE, 1 ether));
        (bool ok,) = address(claimant).call{gas: 500_000}(abi.encodeCall(Claimant.claim, ()));
        vm.assertFalse(ok, "not paid");
        vm.assertEq(pool.credit(address(claimant)), 3 ether, "credit stays");
        vm.prank(ALICE);
        pool.claim(ALICE);
        vm.assertEq(ALICE.balance, 1 ether, "another account is paid");
    }

    function test_a_token_cannot_reenter_while_it_is_paid() public {
        HookToken token = new HookToken();
        _fundTokens(token);
        _settle(3 ether, _one(ALICE, 3 ether));
        bytes memory refusal = _error(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector, "");
        token.arm(pool, abi.encodeCall(RewardPool.claim, (ALICE)));
        _claimReverts(refusal, ALICE, CAROL);
        token.arm(pool, abi.encodeCall(RewardPool.fund, (datanet, 1)));
        _claimReverts(refusal, ALICE, CAROL);
    }

    function test_a_settlement_during_a_payment_counts_like_one_after_it() public {
        HookToken token = new HookToken();
        _fundTokens(token);
        _settle(3 ether, _one(ALICE, 3 ether));
        vm.prank(OWNER);
        registry.setDistributor(datanet, address(token), true);
        token.arm(pool, abi.encodeCall(RewardPool.settle, (datanet, 1, 1, ROOT, 2 ether, _one(ALICE, 2 ether))));
        vm.prank(ALICE);
        pool.claim(CAROL);
        vm.assertEq(token.balanceOf(CAROL), 3 ether, "paid");
        vm.assertEq(pool.credit(ALICE), 2 ether, "credited since");
        vm.assertEq(pool.totalCredit(), 2 ether, "total credit");
        vm.assertEq(pool.totalFunds(), 0, "total funds");
    }

    function test_a_token_claim_pays_tokens() public {
        TestToken token = new TestToken();
        _fundTokens(token);
        _settle(3 ether, _one(ALICE, 3 ether));
        vm.prank(ALICE);
        pool.claim(CAROL);
        vm.assertEq(token.balanceOf(CAROL), 3 ether, "paid");
        vm.assertEq(token.balanceOf(address(pool)), 2 ether, "left");
    }

    function test_a_token_that_refuses_to_pay_leaves_the_credit() public {
        RefusingToken token = new RefusingToken();
        _fundTokens(token);
        _settle(3 ether, _one(ALICE, 3 ether));
        token.refuse();
        _claimReverts(_error(SafeERC20.SafeERC20FailedOperation.selector, abi.encode(token)), ALICE, CAROL);
    }

    // --------------------------------------------------------------------------------------------- force-sent money

    function test_coin_forced_upon_the_pool_changes_no_book() public {
        bytes32 totals = keccak256(abi.encode(pool.totalFunds(), pool.totalCredit(), pool.funds(datanet)));
        vm.deal(address(this), 9 ether);
        new Forcer{value: 9 ether}(payable(address(pool)));
        vm.assertEq(address(pool).balance, 159 ether, "forced");
        vm.assertEq(
            keccak256(abi.encode(pool.totalFunds(), pool.totalCredit(), pool.funds(datanet))), totals, "same books"
        );
        uint256 total = 100 ether + 1;
        _settleReverts(
            _error(RewardPool.InsufficientFunds.selector, abi.encode(100 ether, total)), total, _one(ALICE, total)
        );
        _settle(100 ether, _one(ALICE, 100 ether));
        vm.prank(ALICE);
        pool.claim(ALICE);
        vm.assertEq(ALICE.balance, 100 ether, "paid");
    }

    function test_tokens_sent_by_transfer_change_no_book() public {
        TestToken token = new TestToken();
        _fundTokens(token);
        vm.prank(FUNDER);
        token.transfer(address(pool), 1 ether);
        vm.assertEq(pool.totalFunds(), 5 ether, "funds");
        vm.prank(FUNDER);
        pool.fund(datanet, 2 ether);
        vm.assertEq(pool.totalFunds(), 7 ether, "only what was funded");
    }

    // ------------------------------------------------------------------------------------------------------ helpers

    function _useToken(TestToken token) private {
        pool = _newPool(address(token));
        token.mint(FUNDER, 10 ether);
        vm.prank(FUNDER);
        token.approve(address(pool), UNLIMITED);
    }

    function _fundTokens(TestToken token) private {
        _useToken(token);
        vm.prank(FUNDER);
        pool.fund(datanet, 5 ether);
    }

    function _creditedClaimant(Claimant.Mode mode) private returns (Claimant claimant) {
        claimant = new Claimant(pool);
        claimant.set(mode);
        _settle(3 ether, _one(address(claimant), 3 ether));
    }

    function _fundReverts(bytes memory refusal, bytes32 id, uint256 amount, uint256 value) private {
        bytes32 before = _books();
        vm.expectRevert(refusal);
        vm.prank(FUNDER);
        pool.fund{value: value}(id, amount);
        vm.assertEq(_books(), before, "a refused funding changes nothing");
    }

    function _claimReverts(bytes memory refusal, address account, address to) private {
        bytes32 before = _books();
        vm.expectRevert(refusal);
        vm.prank(account);
        pool.claim(to);
        vm.assertEq(_books(), before, "a refused claim changes nothing");
    }

    function _settleAsReverts(address caller, bytes32 id) private {
        bytes32 before = _books();
        vm.expectRevert(_error(RewardPool.NotDistributor.selector, abi.encode(id, caller)));
        vm.prank(caller);
        pool.settle(id, 0, 0, ROOT, 0, _none());
        vm.assertEq(_books(), before, "a refused settlement changes nothing");
    }
}
