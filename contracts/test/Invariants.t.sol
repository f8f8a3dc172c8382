// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RewardPool} from "../src/RewardPool.sol";
import {Forcer} from "./Mocks.sol";
import {PoolBase} from "./PoolBase.sol";

/// Does what users and attackers do, in any order, and keeps its own count of what the pool promised.
contract Handler is PoolBase {
    uint256 public constant WINDOW_CAP = 60 ether;
    uint256 public constant BATCH_CAP = 25 ether;
    uint256 private constant ACCOUNTS = 6;

    struct Settlement {
        uint256 time;
        uint256 total;
    }

    uint256 public funded = 150 ether; // by setUp
    uint256 public forced;
    uint256 public credited;
    uint256 public paid;
    uint256 public settled;
    uint256 public refused;
    mapping(bytes32 datanetId => uint64) public expectedCursor;
    mapping(bytes32 datanetId => Settlement[]) private _settlements;

    function setUp() public override {
        super.setUp();
        vm.prank(ADMIN);
        pool.setCaps(BATCH_CAP, WINDOW_CAP, 1 days);
    }

    function fund(bool other, uint256 amount) external {
        if (pool.paused() & 1 != 0) return;
        amount = _between(amount, 1, 30 ether);
        _fund(_id(other), amount);
        funded += amount;
    }

    function force(uint256 amount) external {
        amount = _between(amount, 1, 1 ether);
        vm.deal(address(this), amount);
        new Forcer{value: amount}(payable(address(pool)));
        forced += amount;
    }

    function settle(bool other, uint64 length, uint256 seed) external {
        bytes32 id = _id(other);
        (uint256 total, bytes32[] memory entries) = _batch(seed);
        uint64 first = pool.cursor(id);
        uint64 last = first + uint64(_between(length, 0, 1000));
        bool payable_ = total <= pool.funds(id) && total <= BATCH_CAP && total <= _left(id) && pool.paused() & 2 == 0;
        vm.prank(other ? OTHER_WORKER : WORKER);
        try pool.settle(id, first, last, ROOT, total, entries) {
            require(payable_, "settled what it should refuse");
            _settlements[id].push(Settlement(block.timestamp, total));
            expectedCursor[id] = last + 1;
            credited += total;
            settled += 1;
        } catch {
            require(!payable_, "refused what it should settle");
            refused += 1;
        }
    }

    /// A batch that would be good but for one thing.
    function settleMalformed(bool other, uint8 kind, uint256 seed) external {
        bytes32 id = _id(other);
        uint64 first = pool.cursor(id);
        uint64 last = first + 3;
        (uint256 total, bytes32[] memory entries) = _batch(seed);
        address caller = other ? OTHER_WORKER : WORKER;
        kind = uint8(_between(kind, 0, 8));
        if (kind == 0) caller = other ? WORKER : OTHER_WORKER;
        if (kind == 1) first += 1;
        if (kind == 2) (first, last) = (first == 0 ? 1 : first - 1, last);
        if (kind == 3) last = type(uint64).max;
        if (kind == 4) total += 1 + seed % 5;
        if (kind == 5) (entries, total) = (_two(_entry(ALICE, 1), _entry(ALICE, 1)), 2);
        if (kind == 6) (entries, total) = (_two(_entry(BOB, 1), _entry(ALICE, 1)), 2);
        if (kind == 7) (entries, total) = (_two(_entry(ALICE, 1), _entry(BOB, 0)), 1);
        if (kind == 8) (entries, total) = (_one(address(0), 1), 1);
        vm.prank(caller);
        try pool.settle(id, first, last, ROOT, total, entries) {
            revert("a malformed batch was settled");
        } catch {
            refused += 1;
        }
    }

    function claim(uint256 seed) external {
        address account = _account(seed % ACCOUNTS);
        uint256 due = pool.credit(account);
        address to = address(uint160(0x70000) + uint160(seed % 3));
        uint256 before = to.balance;
        bool payable_ = due != 0 && pool.paused() & 4 == 0;
        vm.prank(account);
        try pool.claim(to) {
            require(payable_ && to.balance - before == due && pool.credit(account) == 0, "paid something else");
            paid += due;
        } catch {
            require(!payable_, "refused a good claim");
            refused += 1;
        }
    }

    function pause(uint8 bits) external {
        vm.prank(GUARDIAN);
        try pool.pause(uint8(_between(bits, 0, 8))) {} catch {}
    }

    function unpause(uint8 bits) external {
        vm.prank(ADMIN);
        pool.unpause(uint8(_between(bits, 1, 7)));
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + _between(time, 1, 9 hours));
    }

    // ---------------------------------------------------------------------------------------- what invariants ask

    function books() external view returns (RewardPool, bytes32, bytes32) {
        return (pool, datanet, otherDatanet);
    }

    function sumOfCredits() external view returns (uint256 sum) {
        for (uint256 i; i < ACCOUNTS; ++i) {
            sum += pool.credit(_account(i));
        }
    }

    /// The most that any window of a Datanet holds; such a window can be moved to end with a settlement.
    function fullestWindow(bytes32 id) external view returns (uint256 most) {
        Settlement[] storage all = _settlements[id];
        for (uint256 end; end < all.length; ++end) {
            uint256 sum;
            for (uint256 i; i <= end; ++i) {
                if (all[i].time + 1 days > all[end].time) sum += all[i].total;
            }
            if (sum > most) most = sum;
        }
    }

    function _left(bytes32 id) private view returns (uint256 left) {
        left = WINDOW_CAP;
        Settlement[] storage all = _settlements[id];
        for (uint256 i; i < all.length; ++i) {
            if (all[i].time + 1 days > block.timestamp) left -= all[i].total;
        }
    }

    function _id(bool other) private view returns (bytes32) {
        return other ? otherDatanet : datanet;
    }

    function _account(uint256 index) private pure returns (address) {
        return address(uint160(0xACC0000 + index));
    }

    /// None to all of the accounts, each with up to six coins.
    function _batch(uint256 seed) private pure returns (uint256 total, bytes32[] memory entries) {
        uint256 members = seed % (1 << ACCOUNTS);
        uint256 count;
        for (uint256 i; i < ACCOUNTS; ++i) {
            count += members >> i & 1;
        }
        entries = new bytes32[](count);
        count = 0;
        for (uint256 i; i < ACCOUNTS; ++i) {
            if (members >> i & 1 == 0) continue;
            uint256 amount = _between(uint256(keccak256(abi.encode(seed, i))), 1, 6 ether);
            entries[count++] = _entry(_account(i), amount);
            total += amount;
        }
    }
}

contract InvariantsTest {
    Handler private handler;
    RewardPool private pool;
    bytes32 private datanet;
    bytes32 private otherDatanet;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() public {
        handler = new Handler();
        handler.setUp();
        (pool, datanet, otherDatanet) = handler.books();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// Settlements twice, for they are what matters; and not the handler's own `setUp`.
    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](9);
        selectors[0] = Handler.fund.selector;
        selectors[1] = Handler.force.selector;
        selectors[2] = Handler.settle.selector;
        selectors[3] = Handler.settle.selector;
        selectors[4] = Handler.settleMalformed.selector;
        selectors[5] = Handler.claim.selector;
        selectors[6] = Handler.pause.selector;
        selectors[7] = Handler.unpause.selector;
        selectors[8] = Handler.wait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_the_balance_covers_funds_and_credit_to_the_last_unit() public view {
        require(address(pool).balance == pool.totalFunds() + pool.totalCredit() + handler.forced(), "solvent");
    }

    function invariant_what_was_funded_is_held_or_was_paid() public view {
        require(handler.funded() == pool.totalFunds() + pool.totalCredit() + handler.paid(), "conserved");
        require(handler.credited() == pool.totalCredit() + handler.paid(), "credited once");
    }

    function invariant_the_totals_are_the_sums() public view {
        require(handler.sumOfCredits() == pool.totalCredit(), "credits");
        require(pool.funds(datanet) + pool.funds(otherDatanet) == pool.totalFunds(), "funds");
    }

    function invariant_the_cursor_moves_with_settlements_only_and_never_back() public view {
        require(pool.cursor(datanet) == handler.expectedCursor(datanet), "cursor");
        require(pool.cursor(otherDatanet) == handler.expectedCursor(otherDatanet), "other cursor");
        // Following the batches from the first on meets every settled receipt once.
        _assertNoGap(datanet);
        _assertNoGap(otherDatanet);
    }

    function invariant_no_window_holds_more_than_its_cap() public view {
        require(handler.fullestWindow(datanet) <= handler.WINDOW_CAP(), "window");
        require(handler.fullestWindow(otherDatanet) <= handler.WINDOW_CAP(), "other window");
    }

    function _assertNoGap(bytes32 id) private view {
        uint64 next;
        while (next < pool.cursor(id)) {
            RewardPool.Batch memory batch = pool.batches(pool.batchAt(id, next));
            require(batch.at != 0 && batch.first == next && batch.last >= next, "gap");
            next = batch.last + 1;
        }
        require(next == pool.cursor(id), "overlap");
    }
}
