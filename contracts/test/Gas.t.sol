// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RewardPool} from "../src/RewardPool.sol";
import {TestToken} from "./Mocks.sol";
import {PoolBase} from "./PoolBase.sol";

/// What users pay, as whole transactions: the price of a call and of its data included, for forge runs each call of
/// this contract as its own transaction (`isolate`), and refunds taken off. anvil's receipts say the same.
/// forge-config: default.isolate = true
contract GasTest is PoolBase {
    /// Addresses and amounts without cheap zero bytes.
    uint160 private constant START = uint160(0x1111111111111111111111111111111111111111);
    uint256 private constant AMOUNT = 0x11111111111111; // a little under 0.005 coins

    function test_a_batch_of_a_hundred_known_accounts_stays_below_850_000_gas() public {
        _settle(100 * AMOUNT, _many(START, 100, AMOUNT));
        _settle(100 * AMOUNT, _many(START, 100, AMOUNT));
        _assertGas("settle, 100 known accounts", 850_000);
    }

    function test_the_largest_batch_of_new_accounts_stays_below_13_000_000_gas() public {
        _settle(0, _none());
        _settle(500 * AMOUNT, _many(START, 500, AMOUNT));
        _assertGas("settle, 500 new accounts", 13_000_000);
    }

    function test_the_first_batch_of_all_stays_below_the_gas_of_one_transaction() public {
        _settle(500 * AMOUNT, _many(START, 500, AMOUNT));
        _assertGas("settle, 500 new accounts, first batch", 16_777_216);
    }

    function test_a_window_cap_adds_60_000_gas_at_most() public {
        _settle(AMOUNT, _one(ALICE, AMOUNT));
        _settle(AMOUNT, _one(ALICE, AMOUNT));
        uint256 without = vm.lastCallGas().gasTotalUsed;
        vm.prank(ADMIN);
        pool.setCaps(UNLIMITED, 50 ether, 1 days);
        for (uint256 i; i < 100; ++i) {
            vm.warp(block.timestamp + 1 hours);
            _settle(AMOUNT, _one(ALICE, AMOUNT));
        }
        _assertGas("settle under a window cap", without + 60_000);
    }

    function test_funding_stays_below_75_000_gas() public {
        _fund(datanet, 1 ether);
        _assertGas("fund", 75_000);
    }

    function test_a_coin_claim_costs_60_000_gas_at_most_and_75_000_for_a_new_holder() public {
        _creditAliceBobAndAnother();
        _claim(ALICE, CAROL);
        _assertGas("claim, new holder", 75_000);
        _claim(BOB, CAROL);
        _assertGas("claim, existing holder", 60_000);
    }

    function test_a_token_claim_costs_60_000_gas_at_most_and_75_000_for_a_new_holder() public {
        TestToken token = new TestToken();
        pool = _newPool(address(token));
        token.mint(FUNDER, 10 ether);
        vm.prank(FUNDER);
        token.approve(address(pool), UNLIMITED);
        vm.prank(FUNDER);
        pool.fund(datanet, 10 ether);
        _creditAliceBobAndAnother();
        _claim(ALICE, CAROL);
        _assertGas("token claim, new holder", 75_000);
        _claim(BOB, CAROL);
        _assertGas("token claim, existing holder", 60_000);
    }

    function test_a_signed_claim_costs_100_000_gas_at_most() public {
        address account = vm.addr(7);
        _settle(2 * AMOUNT, _two(_entry(ALICE, AMOUNT), _entry(account, AMOUNT)));
        _settle(AMOUNT, _one(STRANGER, AMOUNT));
        vm.deal(CAROL, 1);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Footnote"),
                keccak256("1"),
                block.chainid,
                address(pool)
            )
        );
        bytes32 kind = keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, account, CAROL, 0, UNLIMITED));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(7, keccak256(abi.encodePacked(bytes2(0x1901), domain, message)));
        pool.claimFor(account, CAROL, UNLIMITED, abi.encodePacked(r, s, v));
        _assertGas("claimFor, existing holder", 100_000);
    }

    function test_taking_money_back_costs_100_000_gas_at_most_in_each_step() public {
        vm.prank(OWNER);
        pool.requestDefunding(datanet, 1 ether);
        _assertGas("requestDefunding", 100_000);
        vm.warp(block.timestamp + 7 days);
        vm.prank(OWNER);
        pool.defund(datanet, CAROL);
        _assertGas("defund, new holder", 100_000);
    }

    /// The other one's credit stays, so that no total falls to zero and brings a refund.
    function _creditAliceBobAndAnother() private {
        _settle(2 * AMOUNT, _two(_entry(ALICE, AMOUNT), _entry(BOB, AMOUNT)));
        _settle(AMOUNT, _one(STRANGER, AMOUNT));
    }

    function _claim(address account, address to) private {
        vm.prank(account);
        pool.claim(to);
    }

    function _assertGas(string memory what, uint256 limit) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("gas", what, gas);
        vm.assertLe(gas, limit, what);
        vm.assertTrue(gas > 21_000, "the whole transaction was measured");
    }
}
