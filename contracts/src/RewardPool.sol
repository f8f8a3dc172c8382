// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {RateLimiter} from "@openzeppelin/contracts/utils/RateLimiter.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {DatanetRegistry} from "./DatanetRegistry.sol";

/// @title Holds the money of Datanets and credits it to the contributors of settled receipts.
/// @notice Money is put in per Datanet (`fund`), credited to accounts by that Datanet's distributor (`settle`) and
/// withdrawn by those accounts (`claim`). Each receipt number of a Datanet is settled once: a settlement must begin
/// at the Datanet's cursor, and moves it past its last receipt. The admin grants no right to settle and can move no
/// money; the distributor is trusted for amounts, within the caps.
/// @dev The books (`totalFunds + totalCredit`) are kept apart from the balance, so coin forced upon the contract
/// changes nothing. A token whose balances move by themselves is not supported.
contract RewardPool is AccessControlDefaultAdminRules, ReentrancyGuardTransient, EIP712, Nonces {
    using SafeERC20 for IERC20;
    using RateLimiter for RateLimiter.SlidingWindow;

    struct Batch {
        bytes32 digest;
        bytes32 receiptsRoot;
        uint64 first;
        uint64 last;
        uint64 at;
    }

    /// @notice What a Datanet's owner wants back. `epoch` is that of the ownership under which it was asked for.
    struct Defunding {
        uint256 amount;
        uint64 from;
        uint64 until;
        uint64 epoch;
    }

    /// @notice May pause and may lower caps, and can undo neither.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    /// @notice What can be paused, as bits that may be added.
    uint8 public constant FUND = 1;
    uint8 public constant SETTLE = 2;
    uint8 public constant CLAIM = 4;

    /// @notice Keeps a settlement of new accounts only below the gas that one transaction may use (EIP-7825).
    uint256 public constant MAX_ENTRIES = 500;

    /// @notice How long a pause of `claim` lasts at most, and how long after its end no other can begin: credited
    /// money cannot be held back for more than half of the time.
    uint64 public constant CLAIM_PAUSE_SECONDS = 7 days;

    /// @notice How long an owner waits for money that is not credited yet, so that what is owed already can be
    /// settled before; and for how long it may be taken then. After that it must be asked for again.
    uint64 public constant DEFUNDING_DELAY = 7 days;
    uint64 public constant DEFUNDING_WINDOW = 7 days;

    /// @dev Receipts are signed under the same EIP-712 domain; theirs is another type of struct, so that neither
    /// signature passes for the other.
    bytes32 private constant CLAIM_TYPEHASH =
        keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)");

    /// @dev No sum of batches, each below 2^105, reaches it.
    uint208 private constant NO_LIMIT = type(uint208).max;

    /// @notice The ERC-20 that is paid, or zero for the chain's native coin.
    IERC20 public immutable token;

    /// @notice Says which Datanets exist and who may settle them.
    DatanetRegistry public immutable registry;

    /// @notice A Datanet's money that is not credited yet.
    mapping(bytes32 datanetId => uint256) public funds;

    /// @notice What an account may claim.
    mapping(address account => uint256) public credit;

    /// @notice The number of a Datanet's first unsettled receipt.
    mapping(bytes32 datanetId => uint64) public cursor;

    /// @notice The batch that begins at a receipt number, or zero.
    mapping(bytes32 datanetId => mapping(uint64 first => bytes32)) public batchAt;

    mapping(bytes32 batchId => Batch) private _batches;

    /// @notice The money of a Datanet that its owner has asked back, if any.
    mapping(bytes32 datanetId => Defunding) public defundings;

    uint256 public totalFunds;
    uint256 public totalCredit;

    /// @notice The most that one batch may credit.
    uint256 public maxBatch = type(uint256).max;

    /// @dev The cap per Datanet and window: an exact sliding window, with one checkpoint of the running sum for each
    /// settlement that counts. What was settled before a limit was set, or had left a window that was lengthened
    /// since, does not count.
    RateLimiter.SlidingWindow private _window;

    /// @dev FUND and SETTLE only: a pause of `claim` is a time, not a bit.
    uint8 private _pausedBits;

    /// @notice When the latest pause of `claim` ends or ended; zero if there was none.
    uint64 public claimPauseEnd;

    event Funded(bytes32 indexed datanetId, address indexed from, uint256 amount);
    event BatchSettled(
        bytes32 indexed batchId,
        bytes32 indexed datanetId,
        uint64 first,
        uint64 last,
        bytes32 receiptsRoot,
        uint256 total,
        uint256 count
    );
    event Claimed(address indexed account, address indexed to, uint256 amount);
    event DefundingRequested(
        bytes32 indexed datanetId, address indexed owner, uint256 amount, uint64 from, uint64 until
    );
    event DefundingCancelled(bytes32 indexed datanetId, address indexed owner);
    event Defunded(bytes32 indexed datanetId, address indexed owner, address indexed to, uint256 amount);
    event CapsSet(address indexed by, uint256 maxBatch, uint256 maxWindow, uint48 windowSeconds);
    event Paused(address indexed by, uint8 bits);
    event Unpaused(address indexed by, uint8 bits);

    error NoCode(address account);
    error IsPaused(uint8 bit);
    error UnknownPauseBits(uint8 bits);
    error ClaimPauseTooSoon(uint64 allowedFrom);
    error UnknownDatanet(bytes32 datanetId);
    error ZeroAmount();
    error UnexpectedValue(uint256 value);
    error AmountMismatch(uint256 expected, uint256 received);
    error NotDistributor(bytes32 datanetId, address account);
    error BadCursor(uint64 expected, uint64 got);
    error BadRange(uint64 first, uint64 last);
    error ZeroReceiptsRoot();
    error TooManyEntries(uint256 count);
    error BatchCapExceeded(uint256 cap, uint256 total);
    error WindowCapExceeded(uint256 available, uint256 total);
    error InsufficientFunds(uint256 available, uint256 total);
    error ZeroAccount();
    error NotAscending(uint256 index);
    error ZeroEntry(uint256 index);
    error TotalMismatch(uint256 total, uint256 sum);
    error NoCredit(address account);
    error BadRecipient(address to);
    error ClaimExpired(uint256 deadline);
    error BadSignature(address account);
    error NotOwner(bytes32 datanetId, address account);
    error NoDefunding(bytes32 datanetId);
    error DefundingNotNow(uint64 from, uint64 until);
    error ZeroWindow();
    error OnlyAdminRaisesCaps();

    modifier onlyGuardianOrAdmin() {
        if (!hasRole(GUARDIAN_ROLE, msg.sender)) _checkRole(DEFAULT_ADMIN_ROLE);
        _;
    }

    modifier onlyDatanetOwner(bytes32 datanetId) {
        if (registry.ownerOf(datanetId) != msg.sender) revert NotOwner(datanetId, msg.sender);
        _;
    }

    modifier whenNotPaused(uint8 bit) {
        if (paused() & bit != 0) revert IsPaused(bit);
        _;
    }

    /// @param token_ an ERC-20, or zero for the native coin
    /// @param adminDelay seconds between offering the admin's role and its acceptance
    constructor(address token_, address registry_, address admin, uint48 adminDelay)
        AccessControlDefaultAdminRules(adminDelay, admin)
        EIP712("Footnote", "1")
    {
        if (token_ != address(0) && token_.code.length == 0) revert NoCode(token_);
        if (registry_.code.length == 0) revert NoCode(registry_);
        token = IERC20(token_);
        registry = DatanetRegistry(registry_);
        _window.updateSettings(1 days, NO_LIMIT);
    }

    // ------------------------------------------------------------------------------------------------------ money

    /// @notice Adds to a Datanet's funds; anyone may. What arrives must be exactly `amount`, so that a token that
    /// keeps a fee is refused instead of leaving the books short.
    function fund(bytes32 datanetId, uint256 amount) external payable nonReentrant whenNotPaused(FUND) {
        if (amount == 0) revert ZeroAmount();
        if (!registry.isRegistered(datanetId)) revert UnknownDatanet(datanetId);
        _receive(amount);
        funds[datanetId] += amount;
        totalFunds += amount;
        emit Funded(datanetId, msg.sender, amount);
    }

    /// @notice Credits what the receipts `first..last` of a Datanet owe, once and for all.
    /// @param receiptsRoot the Merkle root over those receipts, see `verifyReceipt`
    /// @param total the sum of the entries; zero, with no entries, for receipts that owe nothing
    /// @param entries `bytes20(account) || uint96(amount)`, strictly ascending by account: sorted entries are how a
    /// duplicate is seen without memory, and give a batch one encoding
    /// @dev Not guarded against re-entry: it calls nothing but views of the registry fixed at construction.
    function settle(
        bytes32 datanetId,
        uint64 first,
        uint64 last,
        bytes32 receiptsRoot,
        uint256 total,
        bytes32[] calldata entries
    ) external whenNotPaused(SETTLE) returns (bytes32 batchId) {
        if (!registry.isDistributor(datanetId, msg.sender)) revert NotDistributor(datanetId, msg.sender);
        _advance(datanetId, first, last);
        if (receiptsRoot == bytes32(0)) revert ZeroReceiptsRoot();
        _debit(datanetId, total);
        _credit(total, entries);

        batchId = keccak256(abi.encode(block.chainid, address(this), datanetId, first, last, receiptsRoot));
        batchAt[datanetId][first] = batchId;
        _batches[batchId] = Batch({
            digest: keccak256(abi.encode(total, entries)),
            receiptsRoot: receiptsRoot,
            first: first,
            last: last,
            at: uint64(block.timestamp)
        });
        emit BatchSettled(batchId, datanetId, first, last, receiptsRoot, total, entries.length);
    }

    /// @notice Pays the caller's whole credit to `to`. If `to` does not take it, nothing changes.
    function claim(address to) external {
        _claim(msg.sender, to);
    }

    /// @notice Pays an account's whole credit to `to`, as that account signed: anyone may bring the signature, and
    /// pay the gas. An account with code is asked whether it signed (ERC-1271). What counts is the credit at that
    /// moment; a signature counts once, in the order of the account's nonces.
    function claimFor(address account, address to, uint256 deadline, bytes calldata signature) external {
        if (block.timestamp > deadline) revert ClaimExpired(deadline);
        bytes32 structHash = keccak256(abi.encode(CLAIM_TYPEHASH, account, to, _useNonce(account), deadline));
        if (!SignatureChecker.isValidSignatureNowCalldata(account, _hashTypedDataV4(structHash), signature)) {
            revert BadSignature(account);
        }
        _claim(account, to);
    }

    /// @notice Makes the signature void that the caller gave for its present nonce.
    function voidSignature() external {
        _useNonce(msg.sender);
    }

    /// @notice Asks for money of a Datanet that is not credited yet; replaces an earlier request. Only the owner may
    /// ask, for what is there: money put in later waits for a request of its own. More than that means all of it.
    /// Settlements go on meanwhile and come first.
    function requestDefunding(bytes32 datanetId, uint256 amount) external onlyDatanetOwner(datanetId) {
        if (amount == 0) revert ZeroAmount();
        uint256 asked = Math.min(amount, funds[datanetId]);
        if (asked == 0) revert InsufficientFunds(0, amount);
        uint64 from = uint64(block.timestamp) + DEFUNDING_DELAY;
        uint64 until = from + DEFUNDING_WINDOW;
        defundings[datanetId] = Defunding(asked, from, until, registry.epochOf(datanetId));
        emit DefundingRequested(datanetId, msg.sender, asked, from, until);
    }

    function cancelDefunding(bytes32 datanetId) external onlyDatanetOwner(datanetId) {
        if (defundings[datanetId].amount == 0) revert NoDefunding(datanetId);
        delete defundings[datanetId];
        emit DefundingCancelled(datanetId, msg.sender);
    }

    /// @notice Takes what was asked for, or what is left of it: credited money is never touched.
    /// @dev No pause holds it: whoever may pause must not be able to keep an owner's money, and an owner who wants
    /// no more settlements can end them anyway.
    function defund(bytes32 datanetId, address to) external nonReentrant onlyDatanetOwner(datanetId) {
        Defunding memory asked = defundings[datanetId];
        if (asked.amount == 0 || asked.epoch != registry.epochOf(datanetId)) revert NoDefunding(datanetId);
        if (block.timestamp < asked.from || block.timestamp >= asked.until) {
            revert DefundingNotNow(asked.from, asked.until);
        }
        uint256 amount = Math.min(asked.amount, funds[datanetId]);
        if (amount == 0) revert InsufficientFunds(0, asked.amount);
        delete defundings[datanetId];
        unchecked {
            // amount <= funds[datanetId] <= totalFunds
            funds[datanetId] -= amount;
            totalFunds -= amount;
        }
        emit Defunded(datanetId, msg.sender, to, amount);
        _send(to, amount);
    }

    // ---------------------------------------------------------------------------------------------- pauses and caps

    /// @notice Pauses what `bits` name. A pause of FUND or SETTLE lasts until the admin ends it; a pause of CLAIM
    /// ends by itself, and another cannot begin before `CLAIM_PAUSE_SECONDS` after its end.
    function pause(uint8 bits) external onlyGuardianOrAdmin {
        _checkBits(bits);
        if (bits & CLAIM != 0) {
            uint64 end = claimPauseEnd;
            if (end != 0 && block.timestamp < end + CLAIM_PAUSE_SECONDS) {
                revert ClaimPauseTooSoon(end + CLAIM_PAUSE_SECONDS);
            }
            claimPauseEnd = uint64(block.timestamp) + CLAIM_PAUSE_SECONDS;
        }
        _pausedBits |= bits & ~CLAIM;
        emit Paused(msg.sender, bits);
    }

    function unpause(uint8 bits) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _checkBits(bits);
        if (bits & CLAIM != 0 && block.timestamp < claimPauseEnd) claimPauseEnd = uint64(block.timestamp);
        _pausedBits &= ~bits;
        emit Unpaused(msg.sender, bits);
    }

    /// @notice Sets all caps; the maximum of uint256 means no limit, and so does any window cap from 2^208 - 1 on,
    /// which no Datanet can reach. A guardian may only make them stricter: lower amounts and a longer window.
    function setCaps(uint256 newMaxBatch, uint256 newMaxWindow, uint48 newWindowSeconds) external onlyGuardianOrAdmin {
        if (newWindowSeconds == 0) revert ZeroWindow();
        bool raises = newMaxBatch > maxBatch || newMaxWindow > maxWindow() || newWindowSeconds < windowSeconds();
        if (raises && msg.sender != defaultAdmin()) revert OnlyAdminRaisesCaps();
        maxBatch = newMaxBatch;
        _window.updateSettings(newWindowSeconds, uint208(Math.min(newMaxWindow, NO_LIMIT)));
        emit CapsSet(msg.sender, newMaxBatch, newMaxWindow, newWindowSeconds);
    }

    // ------------------------------------------------------------------------------------------------------- views

    /// @notice All zero if there is no such batch.
    function batches(bytes32 batchId) external view returns (Batch memory) {
        return _batches[batchId];
    }

    /// @notice Whether `leaf` is a receipt's leaf in a settled batch.
    /// @dev The tree is sorted-pair, and every leaf lies at the depth that the number of receipts demands: where a
    /// level is odd, its last node is paired with zero. So the proof's length is known, and a node above the leaves
    /// is not taken for one, nor is the zero padding.
    function verifyReceipt(bytes32 batchId, bytes32 leaf, bytes32[] calldata proof) external view returns (bool) {
        // Zero is padding, and the root of a batch that does not exist.
        if (leaf == bytes32(0)) return false;
        Batch storage batch = _batches[batchId];
        uint256 receipts = uint256(batch.last) - batch.first + 1;
        if (proof.length != Math.log2(receipts, Math.Rounding.Ceil)) return false;
        return MerkleProof.verifyCalldata(proof, batch.receiptsRoot, leaf);
    }

    /// @notice The bits that are paused now.
    function paused() public view returns (uint8 bits) {
        bits = _pausedBits;
        if (block.timestamp < claimPauseEnd) bits |= CLAIM;
    }

    /// @notice The most that a Datanet may credit within any `windowSeconds`; the maximum of uint256 means no limit,
    /// and then nothing is recorded.
    function maxWindow() public view returns (uint256) {
        return _window._limit == NO_LIMIT ? type(uint256).max : _window._limit;
    }

    function windowSeconds() public view returns (uint48) {
        return _window._window;
    }

    /// @notice What the window cap leaves a Datanet to credit now.
    function windowAvailable(bytes32 datanetId) external view returns (uint256) {
        return _window._limit == NO_LIMIT ? type(uint256).max : _window.available(datanetId);
    }

    // ------------------------------------------------------------------------------------------------------- steps

    function _receive(uint256 amount) private {
        if (address(token) == address(0)) {
            if (msg.value != amount) revert AmountMismatch(amount, msg.value);
            return;
        }
        if (msg.value != 0) revert UnexpectedValue(msg.value);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert AmountMismatch(amount, received);
    }

    function _advance(bytes32 datanetId, uint64 first, uint64 last) private {
        uint64 expected = cursor[datanetId];
        if (first != expected) revert BadCursor(expected, first);
        if (last < first || last == type(uint64).max) revert BadRange(first, last);
        cursor[datanetId] = last + 1;
    }

    function _debit(bytes32 datanetId, uint256 total) private {
        if (total == 0) return;
        if (total > maxBatch) revert BatchCapExceeded(maxBatch, total);
        uint256 available = funds[datanetId];
        if (total > available) revert InsufficientFunds(available, total);
        if (_window._limit != NO_LIMIT && !_window.tryConsume(datanetId, total)) {
            revert WindowCapExceeded(_window.available(datanetId), total);
        }
        unchecked {
            // total <= funds[datanetId] <= totalFunds
            funds[datanetId] = available - total;
            totalFunds -= total;
        }
        totalCredit += total;
    }

    function _credit(uint256 total, bytes32[] calldata entries) private {
        uint256 count = entries.length;
        if (count > MAX_ENTRIES) revert TooManyEntries(count);
        uint256 sum;
        uint256 previous;
        for (uint256 i; i < count; ++i) {
            uint256 entry = uint256(entries[i]);
            uint256 account = entry >> 96;
            uint256 amount = uint96(entry);
            if (account <= previous) {
                if (account == 0) revert ZeroAccount();
                revert NotAscending(i);
            }
            if (amount == 0) revert ZeroEntry(i);
            previous = account;
            unchecked {
                // At most 500 uint96 make the sum, and no credit exceeds totalCredit, which is checked.
                sum += amount;
                credit[address(uint160(account))] += amount;
            }
        }
        if (sum != total) revert TotalMismatch(total, sum);
    }

    function _claim(address account, address to) private nonReentrant whenNotPaused(CLAIM) {
        uint256 amount = credit[account];
        if (amount == 0) revert NoCredit(account);
        credit[account] = 0;
        unchecked {
            // No credit exceeds totalCredit.
            totalCredit -= amount;
        }
        emit Claimed(account, to, amount);
        _send(to, amount);
    }

    function _send(address to, uint256 amount) private {
        // Tokens sent to the pool itself would belong to nobody.
        if (to == address(0) || to == address(this)) revert BadRecipient(to);
        if (address(token) == address(0)) {
            Address.sendValue(payable(to), amount);
        } else {
            token.safeTransfer(to, amount);
        }
    }

    function _checkBits(uint8 bits) private pure {
        if (bits == 0 || bits > (FUND | SETTLE | CLAIM)) revert UnknownPauseBits(bits);
    }
}
