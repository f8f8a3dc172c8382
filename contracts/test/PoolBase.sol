// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DatanetRegistry} from "../src/DatanetRegistry.sol";
import {RewardPool} from "../src/RewardPool.sol";
import {Base} from "./Base.sol";

/// A native-coin pool with two funded Datanets, each with an owner and a worker that may settle it.
abstract contract PoolBase is Base {
    bytes32 internal constant ROOT = keccak256("receipts root");
    uint256 internal constant UNLIMITED = type(uint256).max;

    // In the middle of all addresses, so that those who are refused in their place lie on both sides.
    address internal constant ADMIN = address(0x6666666666666666666666666666666666666666);
    address internal constant OWNER = address(0x7777777777777777777777777777777777777777);
    address internal constant GUARDIAN = address(0x60A);
    address internal constant WORKER = address(0x303);
    address internal constant OTHER_OWNER = address(0x0F);
    address internal constant OTHER_WORKER = address(0x304);
    address internal constant FUNDER = address(0xF0);
    address internal constant STRANGER = address(0x57);
    // In ascending order, as entries must be.
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B00);
    address internal constant CAROL = address(0xCA401);

    DatanetRegistry internal registry;
    RewardPool internal pool;
    bytes32 internal datanet;
    bytes32 internal otherDatanet;

    function setUp() public virtual {
        vm.warp(1_750_000_000);
        registry = new DatanetRegistry();
        pool = _newPool(address(0));
        datanet = _newDatanet(OWNER, WORKER);
        otherDatanet = _newDatanet(OTHER_OWNER, OTHER_WORKER);
        vm.deal(FUNDER, 1_000_000 ether);
        _fund(datanet, 100 ether);
        _fund(otherDatanet, 50 ether);
    }

    function _newPool(address token) internal returns (RewardPool made) {
        made = new RewardPool(token, address(registry), ADMIN, 1 days);
        bytes32 role = made.GUARDIAN_ROLE();
        vm.prank(ADMIN);
        made.grantRole(role, GUARDIAN);
    }

    function _newDatanet(address owner, address worker) internal returns (bytes32 id) {
        vm.prank(owner);
        id = registry.create(bytes32(0), "ipfs://datanet");
        vm.prank(owner);
        registry.setDistributor(id, worker, true);
    }

    function _fund(bytes32 id, uint256 amount) internal {
        vm.prank(FUNDER);
        pool.fund{value: amount}(id, amount);
    }

    /// Settles the next receipt of `datanet`.
    function _settle(uint256 total, bytes32[] memory entries) internal returns (bytes32) {
        uint64 next = pool.cursor(datanet);
        return _settle(next, next, total, entries);
    }

    function _settle(uint64 first, uint64 last, uint256 total, bytes32[] memory entries) internal returns (bytes32) {
        vm.prank(WORKER);
        return pool.settle(datanet, first, last, ROOT, total, entries);
    }

    function _settleReverts(bytes memory refusal, uint256 total, bytes32[] memory entries) internal {
        uint64 next = pool.cursor(datanet);
        _settleReverts(refusal, next, next, total, entries);
    }

    function _settleReverts(bytes memory refusal, uint64 first, uint64 last, uint256 total, bytes32[] memory entries)
        internal
    {
        bytes32 before = _books();
        vm.expectRevert(refusal);
        vm.prank(WORKER);
        pool.settle(datanet, first, last, ROOT, total, entries);
        vm.assertEq(_books(), before, "a refused settlement changes nothing");
    }

    /// Everything that the pool holds about the accounts of these tests, in one word.
    function _books() internal view returns (bytes32) {
        uint64 next = pool.cursor(datanet);
        return keccak256(
            abi.encode(
                [address(pool).balance, pool.totalFunds(), pool.totalCredit()],
                [pool.funds(datanet), pool.funds(otherDatanet)],
                [pool.credit(ALICE), pool.credit(BOB), pool.credit(CAROL), pool.credit(address(0))],
                [pool.cursor(otherDatanet), next],
                pool.batchAt(datanet, next),
                pool.windowAvailable(datanet)
            )
        );
    }

    function _entry(address account, uint256 amount) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)) << 96 | uint96(amount));
    }

    function _none() internal pure returns (bytes32[] memory) {}

    function _one(address account, uint256 amount) internal pure returns (bytes32[] memory entries) {
        entries = new bytes32[](1);
        entries[0] = _entry(account, amount);
    }

    function _two(bytes32 left, bytes32 right) internal pure returns (bytes32[] memory entries) {
        entries = new bytes32[](2);
        (entries[0], entries[1]) = (left, right);
    }

    /// `count` neighbours from `start` on, each with `amount`.
    function _many(uint160 start, uint256 count, uint256 amount) internal pure returns (bytes32[] memory entries) {
        entries = new bytes32[](count);
        for (uint160 i; i < count; ++i) {
            entries[i] = _entry(address(start + i), amount);
        }
    }
}
