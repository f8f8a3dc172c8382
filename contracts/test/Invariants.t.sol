// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DatanetRegistry} from "../src/DatanetRegistry.sol";
import {RewardPool} from "../src/RewardPool.sol";
import {Claimant, Forcer, TestToken, _callOrBubble} from "./Mocks.sol";
import {PoolBase} from "./PoolBase.sol";

/// Calls the contracts that it is paid to, as some tokens do, so that hostile claimants act in a pool of tokens too.
contract CallingToken is TestToken {
    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from.code.length != 0 && to.code.length != 0) _callOrBubble(to, "");
    }
}

/// Does what users and attackers do, in any order, and keeps its own books of what the pool promised: nothing that an
/// invariant compares with the pool is read from the pool. It reverts where the pool does what it should refuse, or
/// refuses what it should do.
contract Handler is PoolBase {
    uint256 public constant WINDOW_CAP = 60 ether;
    uint256 public constant BATCH_CAP = 48 ether;
    uint256 public constant ACCOUNTS = 9;
    uint256 private constant SIGNERS = 6;
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    /// More than any honest recipient needs, and little enough to burn.
    uint256 private constant GAS = 200_000;

    address private constant HEIR = address(0x4E);
    address private constant OTHER_HEIR = address(0x4F);

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

    struct Request {
        uint256 amount;
        uint256 from;
        uint256 until;
        uint64 epoch;
    }

    CallingToken public token;
    address[] public accounts; // ascending, as entries must be
    address[] public recipients;
    address[] private _hostile;
    mapping(address account => uint256) private _keys;
    mapping(bytes32 datanetId => Settlement[]) private _settlements;

    mapping(bytes32 datanetId => uint256) public funded;
    mapping(bytes32 datanetId => uint256) public settledTotal;
    mapping(bytes32 datanetId => uint256) public defunded;
    mapping(bytes32 datanetId => uint256) public fullestWindow;
    mapping(bytes32 datanetId => uint64) public nextSeq;
    mapping(bytes32 datanetId => uint32) public versions;
    mapping(bytes32 datanetId => address) public owners;
    mapping(bytes32 datanetId => address) private _formerOwners;
    mapping(bytes32 datanetId => uint64) public epochs;
    mapping(bytes32 datanetId => bool) public mayWorkerSettle;
    mapping(bytes32 datanetId => Request) public requests;
    mapping(address account => uint256) public credited;
    mapping(address account => uint256) public paid;
    mapping(address account => uint256) public nonces;
    mapping(address recipient => uint256) public received;
    uint256 public forced;
    uint256 public claimPauseEnd;
    uint8 public bits;

    uint256 public malformedBatchesSettled;
    uint256 public trespasses;
    uint256 public changesByRefusedCalls;

    /// How often each thing was done, and refused, so that a test can tell whether all of them happen at all.
    mapping(string what => uint256) public count;

    function start(bool native) external {
        setUp();
        if (!native) {
            token = new CallingToken();
            pool = _newPool(address(token));
            token.mint(FUNDER, 1_000_000 ether);
            vm.prank(FUNDER);
            token.approve(address(pool), UNLIMITED);
            _put(datanet, 100 ether);
            _put(otherDatanet, 50 ether);
        }
        (funded[datanet], funded[otherDatanet]) = (100 ether, 50 ether);
        (owners[datanet], owners[otherDatanet]) = (OWNER, OTHER_OWNER);
        (_formerOwners[datanet], _formerOwners[otherDatanet]) = (HEIR, OTHER_HEIR);
        (mayWorkerSettle[datanet], mayWorkerSettle[otherDatanet]) = (true, true);
        vm.prank(ADMIN);
        pool.setCaps(BATCH_CAP, WINDOW_CAP, 1 days);
        _open();
    }

    // ------------------------------------------------------------------------------------------------ what users do

    function fund(uint256 which, uint256 amount) external {
        bytes32 id = _id(which % 2 == 1);
        amount = _between(amount, 0, 32 ether);
        bool good = amount != 0 && bits & 1 == 0;
        try this.put(id, amount) {
            require(good, "funded what it should refuse");
            funded[id] += amount;
            count["funded"] += 1;
        } catch {
            require(!good, "refused funds");
            count["refused funds"] += 1;
        }
    }

    /// Money for nobody's Datanet, coin that is not what was said, and coin where tokens are meant.
    function fundMalformed(uint256 which, uint256 amount) external {
        amount = _between(amount, 1, 30 ether);
        bool nobodys = which % 3 == 0;
        uint256 value = _isNative() ? amount : 0;
        if (!nobodys) value = _isNative() ? amount - 1 : 1;
        bytes32 id = nobodys ? keccak256("nobody's") : _id(which % 2 == 1);
        bytes32 before = _everything();
        vm.prank(FUNDER);
        try pool.fund{value: value}(id, amount) {
            revert("took malformed funds");
        } catch {
            if (_everything() != before) changesByRefusedCalls += 1;
        }
    }

    function put(bytes32 id, uint256 amount) external {
        require(msg.sender == address(this));
        _put(id, amount);
    }

    function force(uint256 amount) external {
        amount = _between(amount, 1, 1 ether);
        if (_isNative()) {
            vm.deal(address(this), amount);
            new Forcer{value: amount}(payable(address(pool)));
        } else {
            token.mint(address(pool), amount);
        }
        forced += amount;
        count["forced"] += 1;
    }

    function settle(uint256 which, uint256 length, uint256 seed) external {
        bool other = which % 2 == 1;
        bytes32 id = _id(other);
        (uint256 total, bytes32[] memory entries) = _batch(seed);
        uint64 first = nextSeq[id];
        uint64 last = first + uint64(_between(length, 0, 3));
        (bytes32 leaf, bytes32 root) = _tree(id, first, last);
        bool good = mayWorkerSettle[id] && bits & 2 == 0 && total <= _held(id) && total <= BATCH_CAP;
        good = good && total <= WINDOW_CAP - _inWindow(id);
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
            // A window that is fuller than another can be moved to end with a settlement.
            if (_inWindow(id) > fullestWindow[id]) fullestWindow[id] = _inWindow(id);
            count["settled"] += 1;
        } catch {
            require(!good, "refused what it should settle");
            if (bits & 2 != 0) count["refused a batch in a pause"] += 1;
            else if (total > BATCH_CAP) count["refused a batch above its cap"] += 1;
            else if (total > _held(id)) count["refused a batch above the funds"] += 1;
            else if (mayWorkerSettle[id]) count["refused a batch above the cap of its window"] += 1;
        }
    }

    /// A batch that would be good but for one thing.
    function settleMalformed(uint256 which, uint256 kind, uint256 seed) external {
        bool other = which % 2 == 1;
        bytes32 id = _id(other);
        uint64 first = nextSeq[id];
        uint64 last = first + 3;
        (uint256 total, bytes32[] memory entries) = _batch(seed);
        bytes32 root = ROOT;
        address caller = other ? OTHER_WORKER : WORKER;
        kind = _between(kind, 0, 12);
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
        if (kind == 11) id = keccak256("nobody's");
        if (kind == 12) (first, last) = (first + 1, first);
        bytes32 before = _everything();
        vm.prank(caller);
        try pool.settle(id, first, last, root, total, entries) {
            malformedBatchesSettled += 1;
        } catch {
            if (_everything() != before) changesByRefusedCalls += 1;
        }
        count["malformed"] += 1;
    }

    function claim(uint256 seed, uint256 where) external {
        address account = accounts[seed % ACCOUNTS];
        bool hostile = _keys[account] == 0;
        address to = hostile ? account : recipients[where % 3];
        bool good = _credit(account) != 0 && bits & 4 == 0 && !hostile;
        uint256 before = _balance(to);
        vm.prank(account);
        try pool.claim{gas: GAS}(to) {
            require(good, "paid a claim that it should refuse");
            _isPaid(account, to, before);
            count["claimed"] += 1;
        } catch {
            require(!good, "refused a good claim");
            count[hostile ? "refused a hostile claim" : "refused a claim"] += 1;
        }
    }

    /// By signature: a good one, one that was used, one for a later nonce, one of somebody else, one too late, one that
    /// names a recipient who does not take it, the twin with a high s, one for another chain, and one whose deadline was
    /// changed.
    function claimFor(uint256 seed, uint256 kind) external {
        address account = accounts[seed % ACCOUNTS];
        uint256 key = _keys[account];
        if (key == 0) return;
        kind = kind % 2 == 0 ? 0 : _between(kind / 2, 1, 8);
        uint256 nonce = nonces[account];
        if (kind == 1 && nonce != 0) nonce -= 1;
        if (kind == 2) nonce += 1;
        uint256 deadline = kind == 4 ? block.timestamp - 1 : block.timestamp;
        address to = kind == 5 ? _hostile[seed % 3] : recipients[seed % 3];
        bytes32 hash = _hash(kind == 7 ? 1612 : block.chainid, account, to, nonce, deadline);
        bytes memory signature = _signature(kind == 3 ? key % SIGNERS + 1 : key, hash, kind == 6);
        if (kind == 8) deadline += 1;
        bool good = nonce == nonces[account] && kind != 3 && kind != 4 && _credit(account) != 0 && bits & 4 == 0;
        good = good && kind < 5;
        uint256 before = _balance(to);
        try pool.claimFor{gas: GAS}(account, to, deadline, signature) {
            require(good, "paid a signature that it should refuse");
            _isPaid(account, to, before);
            nonces[account] += 1;
            count["claimed by signature"] += 1;
        } catch {
            require(!good, "refused a good signature");
            count["refused a signature"] += 1;
        }
    }

    function voidSignature(uint256 seed) external {
        address account = accounts[seed % ACCOUNTS];
        vm.prank(account);
        pool.voidSignature();
        nonces[account] += 1;
    }

    // ---------------------------------------------------------------------------------------------- what owners do

    function requestDefunding(uint256 which, uint256 amount) external {
        bytes32 id = _id(which % 2 == 1);
        amount = amount % 6 == 0 ? 0 : _between(amount, 1, 40 ether);
        uint256 there = _least(amount, _held(id));
        vm.prank(owners[id]);
        try pool.requestDefunding(id, amount) {
            require(there != 0, "noted a request for nothing");
            requests[id] = Request(there, block.timestamp + 7 days, block.timestamp + 14 days, epochs[id]);
            count["requested"] += 1;
        } catch {
            require(there == 0, "refused a good request");
            count["refused a request"] += 1;
        }
    }

    function cancelDefunding(uint256 which) external {
        bytes32 id = _id(which % 2 == 1);
        vm.prank(owners[id]);
        try pool.cancelDefunding(id) {
            require(requests[id].amount != 0, "cancelled nothing");
            delete requests[id];
            count["cancelled"] += 1;
        } catch {
            require(requests[id].amount == 0, "refused to cancel");
        }
    }

    /// Often in the first or last second in which it is due, or one second off.
    function defund(uint256 which, uint256 where, uint256 when) external {
        bytes32 id = _id(which % 2 == 1);
        Request memory asked = requests[id];
        if (asked.amount != 0 && when % 3 != 0) {
            uint256[4] memory times = [asked.from, asked.until - 1, asked.from - 1, asked.until];
            if (times[when % 4] > block.timestamp) _warp(times[when % 4]);
        }
        bool hostile = where % 5 == 0;
        address to = hostile ? _hostile[where / 5 % 3] : recipients[3];
        uint256 amount = _least(asked.amount, _held(id));
        bool good = amount != 0 && asked.epoch == epochs[id] && !hostile;
        good = good && asked.from <= block.timestamp && block.timestamp < asked.until;
        uint256 before = _balance(to);
        vm.prank(owners[id]);
        try pool.defund{gas: GAS}(id, to) {
            require(good, "took back what it should not");
            require(_balance(to) - before == amount, "took back something else");
            defunded[id] += amount;
            received[to] += amount;
            delete requests[id];
            count["defunded"] += 1;
        } catch {
            require(!good, "refused a good defunding");
            count["refused a defunding"] += 1;
        }
    }

    function handOver(uint256 which, uint256 grant) external {
        bool other = which % 2 == 1;
        bytes32 id = _id(other);
        (address from, address to) = (owners[id], _formerOwners[id]);
        vm.prank(from);
        registry.transferOwnership(id, to);
        vm.prank(to);
        registry.acceptOwnership(id);
        (owners[id], _formerOwners[id]) = (to, from);
        epochs[id] += 1;
        mayWorkerSettle[id] = false;
        _setWorker(other, grant % 4 != 0);
    }

    function setWorker(uint256 which, uint256 grant) external {
        _setWorker(which % 2 == 1, grant % 4 != 0);
    }

    function publish(uint256 which, uint256 expected) external {
        bytes32 id = _id(which % 2 == 1);
        uint32 built = expected % 2 == 0 ? versions[id] : uint32(_between(expected, 0, versions[id] + 1));
        vm.prank(owners[id]);
        try registry.publish(id, built, keccak256(abi.encode(id, built)), "") {
            require(built == versions[id], "published over another version");
            versions[id] += 1;
            count["published"] += 1;
        } catch {
            require(built != versions[id], "refused the next version");
            count["refused a version"] += 1;
        }
    }

    // ------------------------------------------------------------------------------- what guardian and admin may do

    function pause(uint256 seed) external {
        uint8 which = uint8(_between(seed, 0, 8));
        bool good = which != 0 && which < 8;
        if (which & 4 != 0 && claimPauseEnd != 0 && block.timestamp < claimPauseEnd + 7 days) good = false;
        vm.prank(GUARDIAN);
        try pool.pause(which) {
            require(good, "paused what it should refuse");
            if (which & 4 != 0) claimPauseEnd = block.timestamp + 7 days;
            bits |= which;
            count["paused"] += 1;
        } catch {
            require(!good, "refused a good pause");
            count["refused a pause"] += 1;
        }
    }

    function unpause(uint256 seed) external {
        uint8 which = uint8(_between(seed, 1, 7));
        vm.prank(ADMIN);
        pool.unpause(which);
        if (which & 4 != 0 && block.timestamp < claimPauseEnd) claimPauseEnd = block.timestamp;
        bits &= ~which;
    }

    /// Neither admin nor guardian, stranger, former owner or another Datanet's people may do what is not theirs.
    function trespass(uint256 who, uint256 what, uint256 which) external {
        bool other = which % 2 == 1;
        bytes32 id = _id(other);
        address[6] memory callers =
            [ADMIN, GUARDIAN, STRANGER, _formerOwners[id], owners[_id(!other)], other ? WORKER : OTHER_WORKER];
        who = _between(who, 0, 5);
        what = _between(what, 0, 9);
        if (who == 0 && what < 3) what += 3; // the admin's right
        address caller = callers[who];
        address target = what < 7 ? address(pool) : address(registry);
        bytes memory call;
        if (what == 0) call = abi.encodeCall(pool.unpause, (7));
        if (what == 1) call = abi.encodeCall(pool.setCaps, (UNLIMITED, UNLIMITED, 1));
        if (what == 2) call = abi.encodeCall(pool.grantRole, (pool.GUARDIAN_ROLE(), caller));
        if (what == 3) call = abi.encodeCall(pool.requestDefunding, (id, 1));
        if (what == 4) call = abi.encodeCall(pool.defund, (id, caller));
        if (what == 5) call = abi.encodeCall(pool.cancelDefunding, (id));
        if (what == 6) call = abi.encodeCall(pool.settle, (id, nextSeq[id], nextSeq[id], ROOT, 0, _none()));
        if (what == 7) call = abi.encodeCall(registry.setDistributor, (id, caller, true));
        if (what == 8) call = abi.encodeCall(registry.publish, (id, versions[id], ROOT, ""));
        if (what == 9) call = abi.encodeCall(registry.transferOwnership, (id, caller));
        bytes32 before = _everything();
        vm.prank(caller);
        (bool ok,) = target.call(call);
        if (ok) trespasses += 1;
        else if (_everything() != before) changesByRefusedCalls += 1;
        count["trespassed"] += 1;
    }

    /// Often an hour or so, and sometimes days.
    function wait(uint256 time) external {
        _warp(block.timestamp + _between(time, 1, time % 4 == 0 ? 7 days : 6 hours));
    }

    // ---------------------------------------------------------------------------------------- what invariants ask

    function world() external view returns (RewardPool, DatanetRegistry, bytes32, bytes32) {
        return (pool, registry, datanet, otherDatanet);
    }

    function balanceOf(address account) external view returns (uint256) {
        return _balance(account);
    }

    function settlements(bytes32 id) external view returns (Settlement[] memory) {
        return _settlements[id];
    }

    function hostileAccounts() external view returns (address[] memory) {
        return _hostile;
    }

    // -------------------------------------------------------------------------------------------------------- parts

    function _open() private {
        for (uint256 key = 1; key <= SIGNERS; ++key) {
            accounts.push(vm.addr(key));
            _keys[vm.addr(key)] = key;
        }
        Claimant.Mode[3] memory modes = [Claimant.Mode.Refuse, Claimant.Mode.ClaimAgain, Claimant.Mode.BurnGas];
        for (uint256 i; i < 3; ++i) {
            Claimant claimant = new Claimant(pool);
            claimant.set(modes[i]);
            _hostile.push(address(claimant));
            accounts.push(address(claimant));
        }
        for (uint256 i; i < ACCOUNTS; ++i) {
            for (uint256 j = i; j > 0 && accounts[j] < accounts[j - 1]; --j) {
                (accounts[j], accounts[j - 1]) = (accounts[j - 1], accounts[j]);
            }
        }
        // The fourth is where owners take their money.
        for (uint160 i; i < 4; ++i) {
            recipients.push(address(0x70000 + i));
        }
    }

    function _put(bytes32 id, uint256 amount) private {
        vm.prank(FUNDER);
        if (_isNative()) pool.fund{value: amount}(id, amount);
        else pool.fund(id, amount);
    }

    function _isPaid(address account, address to, uint256 before) private {
        uint256 amount = _credit(account);
        require(_balance(to) - before == amount, "paid something else");
        received[to] += amount;
        paid[account] += amount;
    }

    function _setWorker(bool other, bool granted) private {
        bytes32 id = _id(other);
        vm.prank(owners[id]);
        registry.setDistributor(id, other ? OTHER_WORKER : WORKER, granted);
        mayWorkerSettle[id] = granted;
    }

    function _warp(uint256 time) private {
        vm.warp(time);
        if (time >= claimPauseEnd) bits &= ~uint8(4);
    }

    function _isNative() private view returns (bool) {
        return address(token) == address(0);
    }

    function _balance(address account) private view returns (uint256) {
        return _isNative() ? account.balance : token.balanceOf(account);
    }

    function _credit(address account) private view returns (uint256) {
        return credited[account] - paid[account];
    }

    function _held(bytes32 id) private view returns (uint256) {
        return funded[id] - settledTotal[id] - defunded[id];
    }

    function _least(uint256 one, uint256 another) private pure returns (uint256) {
        return one < another ? one : another;
    }

    /// What was settled within the day that ends now.
    function _inWindow(bytes32 id) private view returns (uint256 sum) {
        Settlement[] storage all = _settlements[id];
        for (uint256 i = all.length; i > 0 && all[i - 1].at + 1 days > block.timestamp; --i) {
            sum += all[i - 1].total;
        }
    }

    function _id(bool other) private view returns (bytes32) {
        return other ? otherDatanet : datanet;
    }

    /// None to all of the accounts, each with up to sixteen coins.
    function _batch(uint256 seed) private view returns (uint256 total, bytes32[] memory entries) {
        uint256 members = seed % (1 << ACCOUNTS);
        uint256 length;
        for (uint256 i; i < ACCOUNTS; ++i) {
            length += members >> i & 1;
        }
        entries = new bytes32[](length);
        length = 0;
        for (uint256 i; i < ACCOUNTS; ++i) {
            if (members >> i & 1 == 0) continue;
            uint256 amount = _between(uint256(keccak256(abi.encode(seed, i))), 1, 16 ether);
            entries[length++] = _entry(accounts[i], amount);
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

    function _signature(uint256 key, bytes32 hash, bool high) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return high ? abi.encodePacked(r, ORDER - uint256(s), 55 - v) : abi.encodePacked(r, s, v);
    }

    /// EIP-712 by hand.
    function _hash(uint256 chain, address account, address to, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Footnote"),
                keccak256("1"),
                chain,
                address(pool)
            )
        );
        bytes32 kind = keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, account, to, nonce, deadline));
        return keccak256(abi.encodePacked(bytes2(0x1901), domain, message));
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
                    [registry.version(id), registry.epochOf(id)],
                    [registry.ownerOf(id), registry.pendingOwner(id)],
                    [registry.isDistributor(id, WORKER), registry.isDistributor(id, OTHER_WORKER)]
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

    /// Settlements and claims twice, for they are what matters; and not the handler's own beginning.
    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[21] memory chosen = [
            Handler.fund.selector,
            Handler.fundMalformed.selector,
            Handler.force.selector,
            Handler.settle.selector,
            Handler.settle.selector,
            Handler.settleMalformed.selector,
            Handler.claim.selector,
            Handler.claim.selector,
            Handler.claimFor.selector,
            Handler.claimFor.selector,
            Handler.voidSignature.selector,
            Handler.requestDefunding.selector,
            Handler.cancelDefunding.selector,
            Handler.defund.selector,
            Handler.handOver.selector,
            Handler.setWorker.selector,
            Handler.publish.selector,
            Handler.pause.selector,
            Handler.unpause.selector,
            Handler.trespass.selector,
            Handler.wait.selector
        ];
        bytes4[] memory selectors = new bytes4[](chosen.length);
        for (uint256 i; i < chosen.length; ++i) {
            selectors[i] = chosen[i];
        }
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// Invariants of things that never happen would hold too.
    function test_everything_that_the_invariants_are_about_happens() public {
        bytes4[] memory selectors = targetSelectors()[0].selectors;
        for (uint256 i; i < 2000; ++i) {
            bytes32[3] memory seeds =
                [keccak256(abi.encode(i, 0)), keccak256(abi.encode(i, 1)), keccak256(abi.encode(i, 2))];
            bytes4 chosen = selectors[uint256(keccak256(abi.encode(i))) % selectors.length];
            (bool ok, bytes memory answer) = address(handler).call(bytes.concat(chosen, abi.encode(seeds)));
            if (!ok) {
                assembly {
                    revert(add(answer, 32), mload(answer))
                }
            }
        }
        string[24] memory all = [
            "funded",
            "refused funds",
            "forced",
            "settled",
            "refused a batch in a pause",
            "refused a batch above its cap",
            "refused a batch above the funds",
            "refused a batch above the cap of its window",
            "malformed",
            "claimed",
            "refused a claim",
            "refused a hostile claim",
            "claimed by signature",
            "refused a signature",
            "requested",
            "refused a request",
            "cancelled",
            "defunded",
            "refused a defunding",
            "published",
            "refused a version",
            "paused",
            "refused a pause",
            "trespassed"
        ];
        for (uint256 i; i < all.length; ++i) {
            require(handler.count(all[i]) > 4, all[i]);
        }
    }

    function invariant_solvent_the_balance_covers_funds_and_credit_to_the_last_unit() public view {
        require(
            handler.balanceOf(address(pool)) == pool.totalFunds() + pool.totalCredit() + handler.forced(), "solvent"
        );
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

    function invariant_a_malformed_batch_is_never_settled() public view {
        require(handler.malformedBatchesSettled() == 0, "malformed");
    }

    function invariant_a_refused_call_changes_nothing() public view {
        require(handler.changesByRefusedCalls() == 0, "changed");
    }

    function invariant_nobody_does_what_is_anothers_and_no_admin_settles_or_defunds() public view {
        require(handler.trespasses() == 0, "trespass");
    }

    function invariant_every_recipient_was_paid_what_was_claimed_or_taken_back_for_it_and_no_more() public view {
        for (uint256 i; i < 4; ++i) {
            address recipient = handler.recipients(i);
            require(handler.balanceOf(recipient) == handler.received(recipient), "recipient");
        }
        for (uint256 i; i < handler.ACCOUNTS(); ++i) {
            address account = handler.accounts(i);
            require(handler.balanceOf(account) == handler.received(account), "account");
        }
    }

    /// That they harm nobody else, the handler sees: it expects every other claim to be paid as if they were not there.
    function invariant_claimants_that_refuse_reenter_or_burn_gas_are_not_paid_and_keep_their_credit() public view {
        address[] memory hostile = handler.hostileAccounts();
        for (uint256 i; i < hostile.length; ++i) {
            require(handler.balanceOf(hostile[i]) == 0, "paid");
            require(pool.credit(hostile[i]) == handler.credited(hostile[i]), "credit");
        }
    }

    function invariant_a_request_for_defunding_is_the_one_its_owner_made() public view {
        for (uint256 i; i < 2; ++i) {
            (uint256 amount, uint256 from, uint256 until, uint64 epoch) = handler.requests(ids[i]);
            (uint256 gotAmount, uint64 gotFrom, uint64 gotUntil, uint64 gotEpoch) = pool.defundings(ids[i]);
            require(amount == gotAmount && from == gotFrom && until == gotUntil && epoch == gotEpoch, "request");
        }
    }

    function invariant_owners_and_workers_are_those_that_were_named() public view {
        for (uint256 i; i < 2; ++i) {
            require(registry.ownerOf(ids[i]) == handler.owners(ids[i]), "owner");
            require(registry.epochOf(ids[i]) == handler.epochs(ids[i]), "epoch");
        }
        require(registry.isDistributor(ids[0], address(0x303)) == handler.mayWorkerSettle(ids[0]), "worker");
        require(registry.isDistributor(ids[1], address(0x304)) == handler.mayWorkerSettle(ids[1]), "other worker");
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
