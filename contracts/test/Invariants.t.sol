// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DatanetRegistry} from "../src/DatanetRegistry.sol";
import {RewardPool} from "../src/RewardPool.sol";
import {Claimant, Forcer, TestToken} from "./Mocks.sol";
import {PoolBase} from "./PoolBase.sol";

/// Does what users and attackers do, in any order, and keeps its own books of what the pool promised: nothing that an
/// invariant compares with the pool is read from the pool.
contract Handler is PoolBase {
    uint256 public constant WINDOW_CAP = 60 ether;
    uint256 public constant BATCH_CAP = 25 ether;
    uint256 public constant ACCOUNTS = 9;
    uint256 private constant SIGNERS = 6;

    struct Settlement {
        bytes32 batchId;
        bytes32 digest;
        bytes32 root;
        uint64 first;
        uint64 last;
        uint256 total;
        uint256 at;
        bytes32 leaf;
    }

    TestToken public token;
    address[] public accounts; // ascending, as entries must be
    mapping(address account => uint256) private _keys;
    mapping(bytes32 datanetId => Settlement[]) private _settlements;

    mapping(bytes32 datanetId => uint256) public funded;
    mapping(bytes32 datanetId => uint256) public settledTotal;
    mapping(bytes32 datanetId => uint256) public defunded;
    mapping(bytes32 datanetId => uint64) public nextSeq;
    mapping(bytes32 datanetId => uint32) public versions;
    mapping(address account => uint256) public credited;
    mapping(address account => uint256) public paid;
    mapping(address account => uint256) public nonces;
    uint256 public forced;
    uint256 public claimPauseEnd;
    uint8 public bits;
    uint256 public refusals;

    function start(bool native) external {
        setUp();
        if (!native) {
            token = new TestToken();
            pool = _newPool(address(token));
            token.mint(FUNDER, 1_000_000 ether);
            vm.prank(FUNDER);
            token.approve(address(pool), UNLIMITED);
            _put(datanet, 100 ether);
            _put(otherDatanet, 50 ether);
        }
        (funded[datanet], funded[otherDatanet]) = (100 ether, 50 ether);
        vm.prank(ADMIN);
        pool.setCaps(BATCH_CAP, WINDOW_CAP, 1 days);
        _open();
    }

    // ------------------------------------------------------------------------------------------------ what users do

    function fund(bool other, uint256 amount) external {
        bytes32 id = _id(other);
        amount = _between(amount, 0, 30 ether);
        bool good = amount != 0 && bits & 1 == 0;
        try this.put(id, amount) {
            require(good, "funded what it should refuse");
            funded[id] += amount;
        } catch {
            require(!good, "refused funds");
            refusals += 1;
        }
    }

    function put(bytes32 id, uint256 amount) external {
        require(msg.sender == address(this));
        _put(id, amount);
    }

    function force(uint256 amount) external {
        amount = _between(amount, 1, 1 ether);
        if (address(token) == address(0)) {
            vm.deal(address(this), amount);
            new Forcer{value: amount}(payable(address(pool)));
        } else {
            token.mint(address(pool), amount);
        }
        forced += amount;
    }

    function settle(bool other, uint64 length, uint256 seed) external {
        bytes32 id = _id(other);
        (uint256 total, bytes32[] memory entries) = _batch(seed);
        uint64 first = nextSeq[id];
        uint64 last = first + uint64(_between(length, 0, 3));
        (bytes32 leaf, bytes32 root) = _tree(id, first, last);
        bool good = total <= _held(id) && total <= BATCH_CAP && total <= _left(id) && bits & 2 == 0;
        vm.prank(other ? OTHER_WORKER : WORKER);
        try pool.settle(id, first, last, root, total, entries) returns (bytes32 batchId) {
            require(good, "settled what it should refuse");
            bytes32 digest = keccak256(abi.encode(total, entries));
            _settlements[id].push(Settlement(batchId, digest, root, first, last, total, block.timestamp, leaf));
            nextSeq[id] = last + 1;
            settledTotal[id] += total;
            for (uint256 i; i < entries.length; ++i) {
                credited[address(uint160(uint256(entries[i]) >> 96))] += uint96(uint256(entries[i]));
            }
        } catch {
            require(!good, "refused what it should settle");
            refusals += 1;
        }
    }

    /// A batch that would be good but for one thing. It is refused, and nothing changes.
    function settleMalformed(bool other, uint8 kind, uint256 seed) external {
        bytes32 id = _id(other);
        uint64 first = nextSeq[id];
        uint64 last = first + 3;
        (uint256 total, bytes32[] memory entries) = _batch(seed);
        bytes32 root = ROOT;
        address caller = other ? OTHER_WORKER : WORKER;
        kind = uint8(_between(kind, 0, 13));
        if (kind == 0) caller = other ? WORKER : OTHER_WORKER;
        if (kind == 1) first += 1;
        if (kind == 2) (first, last) = (first == 0 ? 1 : first - 1, last);
        if (kind == 3) last = type(uint64).max;
        if (kind == 4) total += 1 + seed % 5;
        if (kind == 5) (entries, total) = (_two(_entry(ALICE, 1), _entry(ALICE, 1)), 2);
        if (kind == 6) (entries, total) = (_two(_entry(BOB, 1), _entry(ALICE, 1)), 2);
        if (kind == 7) (entries, total) = (_two(_entry(ALICE, 1), _entry(BOB, 0)), 1);
        if (kind == 8) (entries, total) = (_one(address(0), 1), 1);
        if (kind == 9) root = bytes32(0);
        if (kind == 10) (entries, total) = (_many(1, 501, 1), 501);
        if (kind == 11) caller = ADMIN;
        if (kind == 12) id = keccak256("nobody's");
        if (kind == 13) (first, last) = (first + 1, first);
        bytes32 before = _everything();
        vm.prank(caller);
        try pool.settle(id, first, last, root, total, entries) {
            revert("a malformed batch was settled");
        } catch {
            refusals += 1;
        }
        require(_everything() == before, "a refused batch changed something");
    }

    function claim(uint256 seed, uint256 where) external {
        address account = accounts[seed % ACCOUNTS];
        bool hostile = _keys[account] == 0;
        address to = hostile ? account : address(uint160(0x70000) + uint160(where % 3));
        bool good = _credit(account) != 0 && bits & 4 == 0;
        uint256 before = _balance(to);
        vm.prank(account);
        try pool.claim{gas: 1_000_000}(to) {
            require(good, "paid a claim that it should refuse");
            require(_balance(to) - before == _credit(account), "paid something else");
            paid[account] = credited[account];
        } catch {
            require(!good || hostile, "refused a good claim");
            refusals += 1;
        }
    }

    /// By signature: a good one, one that was used, one for a later nonce, one of somebody else, one too late.
    function claimFor(uint256 seed, uint8 kind) external {
        address account = accounts[seed % ACCOUNTS];
        uint256 key = _keys[account];
        if (key == 0) return;
        kind = uint8(_between(kind, 0, 5));
        uint256 nonce = nonces[account];
        if (kind == 1 && nonce != 0) nonce -= 1;
        if (kind == 2) nonce += 1;
        uint256 deadline = kind == 4 ? block.timestamp - 1 : block.timestamp;
        address to = address(uint160(0x70000) + uint160(seed % 3));
        bytes memory signature = _signature(kind == 3 ? key % SIGNERS + 1 : key, account, to, nonce, deadline);
        bool good = nonce == nonces[account] && kind != 3 && kind != 4 && _credit(account) != 0 && bits & 4 == 0;
        uint256 before = _balance(to);
        try pool.claimFor(account, to, deadline, signature) {
            require(good, "paid a signature that it should refuse");
            require(_balance(to) - before == _credit(account), "paid something else");
            paid[account] = credited[account];
            nonces[account] += 1;
        } catch {
            require(!good, "refused a good signature");
            refusals += 1;
        }
    }

    function voidSignature(uint256 seed) external {
        address account = accounts[seed % ACCOUNTS];
        vm.prank(account);
        pool.voidSignature();
        nonces[account] += 1;
    }

    // ---------------------------------------------------------------------------------------------- what owners do

    function defund(bool other, uint8 step, uint256 amount) external {
        bytes32 id = _id(other);
        address owner = other ? OTHER_OWNER : OWNER;
        step = uint8(_between(step, 0, 3));
        if (step == 0) {
            vm.prank(owner);
            pool.requestDefunding(id, _between(amount, 1, 40 ether));
        } else if (step == 1) {
            vm.prank(owner);
            try pool.cancelDefunding(id) {} catch {}
        } else {
            uint256 before = _balance(owner);
            vm.prank(owner);
            try pool.defund(id, owner) {
                defunded[id] += _balance(owner) - before;
            } catch {
                require(_balance(owner) == before, "a refused defunding paid");
            }
        }
    }

    /// Neither admin nor guardian nor worker nor stranger may do what is an owner's, an admin's or a worker's.
    function trespass(uint8 who, uint8 what, bool other) external {
        address[4] memory callers = [ADMIN, GUARDIAN, STRANGER, WORKER];
        who = uint8(_between(who, 0, 3));
        what = uint8(_between(what, 0, 8));
        bytes32 id = _id(other);
        bytes memory call;
        address target = address(pool);
        if (what == 0) call = abi.encodeCall(pool.requestDefunding, (id, 1));
        if (what == 1) call = abi.encodeCall(pool.defund, (id, callers[who]));
        if (what == 2) call = abi.encodeCall(pool.cancelDefunding, (id));
        if (what == 3) call = abi.encodeCall(pool.unpause, (7));
        if (what == 4) call = abi.encodeCall(pool.setCaps, (UNLIMITED, UNLIMITED, 1));
        if (what == 5) call = abi.encodeCall(pool.grantRole, (pool.GUARDIAN_ROLE(), callers[who]));
        if (what > 5) target = address(registry);
        if (what == 6) call = abi.encodeCall(registry.setDistributor, (id, callers[who], true));
        if (what == 7) call = abi.encodeCall(registry.publish, (id, versions[id], ROOT, ""));
        if (what == 8) call = abi.encodeCall(registry.transferOwnership, (id, callers[who]));
        if (who == 0 && what >= 3 && what <= 5) return; // the admin's right
        bytes32 before = _everything();
        vm.prank(callers[who]);
        (bool ok,) = target.call(call);
        require(!ok, "somebody did what is not theirs");
        require(_everything() == before, "a trespass changed something");
    }

    function publish(bool other, uint32 expected) external {
        bytes32 id = _id(other);
        uint32 built = expected % (versions[id] + 2);
        vm.prank(other ? OTHER_OWNER : OWNER);
        try registry.publish(id, built, keccak256(abi.encode(id, built)), "") {
            require(built == versions[id], "published over another version");
            versions[id] += 1;
        } catch {
            require(built != versions[id], "refused the next version");
        }
    }

    function pause(uint8 which) external {
        which = uint8(_between(which, 0, 8));
        bool good = which != 0 && which < 8;
        if (which & 4 != 0 && claimPauseEnd != 0 && block.timestamp < claimPauseEnd + 7 days) good = false;
        vm.prank(GUARDIAN);
        try pool.pause(which) {
            require(good, "paused what it should refuse");
            if (which & 4 != 0) claimPauseEnd = block.timestamp + 7 days;
            bits |= which;
        } catch {
            require(!good, "refused a good pause");
        }
    }

    function unpause(uint8 which) external {
        which = uint8(_between(which, 1, 7));
        vm.prank(ADMIN);
        pool.unpause(which);
        if (which & 4 != 0 && block.timestamp < claimPauseEnd) claimPauseEnd = block.timestamp;
        bits &= ~which;
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + _between(time, 1, 2 days));
        if (block.timestamp >= claimPauseEnd) bits &= ~uint8(4);
    }

    // ---------------------------------------------------------------------------------------- what invariants ask

    function world() external view returns (RewardPool, DatanetRegistry, bytes32, bytes32) {
        return (pool, registry, datanet, otherDatanet);
    }

    function balance() external view returns (uint256) {
        return _balance(address(pool));
    }

    function settlements(bytes32 id) external view returns (Settlement[] memory) {
        return _settlements[id];
    }

    /// The most that any window of a Datanet holds; such a window can be moved to end with a settlement.
    function fullestWindow(bytes32 id) external view returns (uint256 most) {
        Settlement[] storage all = _settlements[id];
        for (uint256 end; end < all.length; ++end) {
            uint256 sum;
            for (uint256 i; i <= end; ++i) {
                if (all[i].at + 1 days > all[end].at) sum += all[i].total;
            }
            if (sum > most) most = sum;
        }
    }

    // -------------------------------------------------------------------------------------------------------- parts

    function _open() private {
        address[ACCOUNTS] memory all;
        for (uint256 key = 1; key <= SIGNERS; ++key) {
            all[key - 1] = vm.addr(key);
            _keys[vm.addr(key)] = key;
        }
        Claimant.Mode[3] memory modes = [Claimant.Mode.Refuse, Claimant.Mode.ClaimAgain, Claimant.Mode.BurnGas];
        for (uint256 i; i < 3; ++i) {
            Claimant hostile = new Claimant(pool);
            hostile.set(modes[i]);
            all[SIGNERS + i] = address(hostile);
        }
        for (uint256 i; i < ACCOUNTS; ++i) {
            for (uint256 j = i; j > 0 && all[j] < all[j - 1]; --j) {
                (all[j], all[j - 1]) = (all[j - 1], all[j]);
            }
        }
        for (uint256 i; i < ACCOUNTS; ++i) {
            accounts.push(all[i]);
        }
    }

    function _put(bytes32 id, uint256 amount) private {
        vm.prank(FUNDER);
        if (address(token) == address(0)) pool.fund{value: amount}(id, amount);
        else pool.fund(id, amount);
    }

    function _balance(address account) private view returns (uint256) {
        return address(token) == address(0) ? account.balance : token.balanceOf(account);
    }

    function _credit(address account) private view returns (uint256) {
        return credited[account] - paid[account];
    }

    function _held(bytes32 id) private view returns (uint256) {
        return funded[id] - settledTotal[id] - defunded[id];
    }

    function _left(bytes32 id) private view returns (uint256 left) {
        left = WINDOW_CAP;
        Settlement[] storage all = _settlements[id];
        for (uint256 i; i < all.length; ++i) {
            if (all[i].at + 1 days > block.timestamp) left -= all[i].total;
        }
    }

    function _id(bool other) private view returns (bytes32) {
        return other ? otherDatanet : datanet;
    }

    /// None to all of the accounts, each with up to six coins.
    function _batch(uint256 seed) private view returns (uint256 total, bytes32[] memory entries) {
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
            entries[count++] = _entry(accounts[i], amount);
            total += amount;
        }
    }

    /// The leaf of a range's first receipt, and the root of a tree of its two, or of one; longer ranges have some root.
    function _tree(bytes32 id, uint64 first, uint64 last) private pure returns (bytes32 leaf, bytes32 root) {
        leaf = keccak256(abi.encode("leaf", id, first));
        if (last == first) return (leaf, leaf);
        bytes32 sibling = keccak256(abi.encode("leaf", id, first + 1));
        root = leaf < sibling ? keccak256(bytes.concat(leaf, sibling)) : keccak256(bytes.concat(sibling, leaf));
        if (last > first + 1) leaf = bytes32(0);
    }

    function _signature(uint256 key, address account, address to, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)"),
                account,
                to,
                nonce,
                deadline
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(bytes2(0x1901), _domain(), message)));
        return abi.encodePacked(r, s, v);
    }

    function _domain() private view returns (bytes32) {
        (, string memory name, string memory version, uint256 chain, address verifying,,) = pool.eip712Domain();
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chain,
                verifying
            )
        );
    }

    /// All that a call could change, in one word.
    function _everything() private view returns (bytes32 word) {
        word = keccak256(abi.encode(_balance(address(pool)), pool.totalFunds(), pool.totalCredit(), pool.paused()));
        for (uint256 i; i < ACCOUNTS; ++i) {
            word = keccak256(abi.encode(word, pool.credit(accounts[i]), pool.nonces(accounts[i])));
        }
        for (uint256 i; i < 2; ++i) {
            bytes32 id = _id(i == 1);
            (uint256 asked,, uint64 until,) = pool.defundings(id);
            word = keccak256(
                abi.encode(
                    word,
                    [pool.funds(id), pool.cursor(id), pool.windowAvailable(id), asked, until],
                    pool.batchAt(id, pool.cursor(id)),
                    registry.version(id),
                    registry.ownerOf(id),
                    registry.pendingOwner(id)
                )
            );
        }
    }
}

/// Each invariant is a promise, held after every call, over a pool of coin and over a pool of tokens.
abstract contract Invariants {
    Handler internal handler;
    RewardPool internal pool;
    DatanetRegistry internal registry;
    bytes32[2] internal ids;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function _begin(bool native) internal {
        handler = new Handler();
        handler.start(native);
        (pool, registry, ids[0], ids[1]) = handler.world();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// Settlements twice, for they are what matters; and not the handler's own beginning.
    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[14] memory chosen = [
            Handler.fund.selector,
            Handler.force.selector,
            Handler.settle.selector,
            Handler.settle.selector,
            Handler.settleMalformed.selector,
            Handler.claim.selector,
            Handler.claimFor.selector,
            Handler.voidSignature.selector,
            Handler.defund.selector,
            Handler.trespass.selector,
            Handler.publish.selector,
            Handler.pause.selector,
            Handler.unpause.selector,
            Handler.wait.selector
        ];
        bytes4[] memory selectors = new bytes4[](chosen.length);
        for (uint256 i; i < chosen.length; ++i) {
            selectors[i] = chosen[i];
        }
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_solvent_the_balance_covers_funds_and_credit_to_the_last_unit() public view {
        require(handler.balance() == pool.totalFunds() + pool.totalCredit() + handler.forced(), "solvent");
    }

    function invariant_conserved_what_was_funded_is_held_credited_paid_or_taken_back() public view {
        uint256 funded = handler.funded(ids[0]) + handler.funded(ids[1]);
        uint256 defunded = handler.defunded(ids[0]) + handler.defunded(ids[1]);
        require(funded == pool.totalFunds() + pool.totalCredit() + _paid() + defunded, "conserved");
    }

    function invariant_the_sum_of_all_entries_is_credit_and_what_was_paid() public view {
        uint256 settled = handler.settledTotal(ids[0]) + handler.settledTotal(ids[1]);
        require(settled == pool.totalCredit() + _paid(), "entries");
    }

    function invariant_each_account_has_the_credit_of_its_own_entries_and_claims() public view {
        uint256 sum;
        for (uint256 i; i < handler.ACCOUNTS(); ++i) {
            address account = handler.accounts(i);
            require(pool.credit(account) == handler.credited(account) - handler.paid(account), "credit");
            sum += pool.credit(account);
        }
        require(sum == pool.totalCredit(), "sum of credits");
    }

    function invariant_no_datanet_spends_the_funds_of_another() public view {
        for (uint256 i; i < 2; ++i) {
            bytes32 id = ids[i];
            uint256 spent = handler.settledTotal(id) + handler.defunded(id);
            require(pool.funds(id) == handler.funded(id) - spent, "funds");
        }
        require(pool.funds(ids[0]) + pool.funds(ids[1]) == pool.totalFunds(), "sum of funds");
    }

    function invariant_each_receipt_is_in_exactly_one_settled_range_and_the_cursor_never_goes_back() public view {
        for (uint256 i; i < 2; ++i) {
            require(pool.cursor(ids[i]) == handler.nextSeq(ids[i]), "cursor");
            uint64 next;
            while (next < pool.cursor(ids[i])) {
                RewardPool.Batch memory batch = pool.batches(pool.batchAt(ids[i], next));
                require(batch.at != 0 && batch.first == next && batch.last >= next, "gap");
                next = batch.last + 1;
            }
            require(next == pool.cursor(ids[i]), "overlap");
        }
    }

    function invariant_a_settled_batch_never_changes() public view {
        for (uint256 i; i < 2; ++i) {
            Handler.Settlement[] memory all = handler.settlements(ids[i]);
            for (uint256 j; j < all.length; ++j) {
                RewardPool.Batch memory batch = pool.batches(all[j].batchId);
                require(batch.digest == all[j].digest && batch.receiptsRoot == all[j].root, "content");
                require(batch.first == all[j].first && batch.last == all[j].last && batch.at == all[j].at, "place");
                require(pool.batchAt(ids[i], all[j].first) == all[j].batchId, "by its first");
            }
        }
    }

    function invariant_a_leaf_verifies_in_its_own_settled_batch_and_nowhere_else() public view {
        for (uint256 i; i < 2; ++i) {
            Handler.Settlement[] memory all = handler.settlements(ids[i]);
            for (uint256 j; j < all.length; ++j) {
                if (all[j].leaf == bytes32(0)) continue;
                bytes32[] memory proof = new bytes32[](all[j].last - all[j].first);
                if (proof.length == 1) proof[0] = keccak256(abi.encode("leaf", ids[i], all[j].first + 1));
                require(pool.verifyReceipt(all[j].batchId, all[j].leaf, proof), "its own");
                require(!pool.verifyReceipt(all[j].batchId, keccak256("never settled"), proof), "a stranger");
                require(!pool.verifyReceipt(keccak256("no batch"), all[j].leaf, proof), "no batch");
                if (j > 0) require(!pool.verifyReceipt(all[j - 1].batchId, all[j].leaf, proof), "another's batch");
            }
        }
    }

    function invariant_no_window_and_no_batch_holds_more_than_its_cap() public view {
        for (uint256 i; i < 2; ++i) {
            require(handler.fullestWindow(ids[i]) <= handler.WINDOW_CAP(), "window");
            Handler.Settlement[] memory all = handler.settlements(ids[i]);
            for (uint256 j; j < all.length; ++j) {
                require(all[j].total <= handler.BATCH_CAP(), "batch");
            }
        }
    }

    function invariant_each_nonce_is_used_once_and_by_its_own_account() public view {
        for (uint256 i; i < handler.ACCOUNTS(); ++i) {
            require(pool.nonces(handler.accounts(i)) == handler.nonces(handler.accounts(i)), "nonce");
        }
    }

    function invariant_pauses_are_those_that_were_set_and_a_pause_of_claim_ends() public view {
        require(pool.paused() == handler.bits(), "bits");
        require(pool.claimPauseEnd() == handler.claimPauseEnd(), "end");
        require(pool.claimPauseEnd() <= block.timestamp + 7 days, "at most a week");
    }

    function invariant_versions_count_up_by_one_and_keep_their_roots() public view {
        for (uint256 i; i < 2; ++i) {
            uint32 newest = registry.version(ids[i]);
            require(newest == handler.versions(ids[i]), "version");
            for (uint32 v = 1; v <= newest; ++v) {
                require(registry.contentRoot(ids[i], v) == keccak256(abi.encode(ids[i], v - 1)), "root");
            }
            require(registry.contentRoot(ids[i], newest + 1) == bytes32(0), "nothing beyond");
        }
    }

    function _paid() private view returns (uint256 sum) {
        for (uint256 i; i < handler.ACCOUNTS(); ++i) {
            sum += handler.paid(handler.accounts(i));
        }
    }
}

contract CoinInvariantsTest is Invariants {
    function setUp() public {
        _begin(true);
    }
}

contract TokenInvariantsTest is Invariants {
    function setUp() public {
        _begin(false);
    }
}
