// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @title Who owns a Datanet, what it holds, and who may act for it.
/// @notice Nobody administers this contract: each Datanet belongs to its owner and to nobody else, so that the
/// right to spend a Datanet's money can be granted by its owner alone.
contract DatanetRegistry {
    /// @notice The times between which a key's receipts count: good if `from <= issuedAt < until`.
    /// @dev `from` is the block time of `addSigner` and never zero, so zero means that the key was never added.
    struct Signer {
        uint64 from;
        uint64 until;
        bool compromised;
    }

    /// @dev One storage slot, so that `isDistributor` costs two reads. `epoch` counts changes of owner.
    struct Datanet {
        address owner;
        uint32 version;
        uint64 epoch;
    }

    mapping(bytes32 datanetId => Datanet) private _datanets;

    /// @notice Who may accept a Datanet, or zero.
    mapping(bytes32 datanetId => address) public pendingOwner;

    /// @notice The Merkle root over the documents of a published version; versions count from 1 and never change.
    mapping(bytes32 datanetId => mapping(uint32 version => bytes32)) public contentRoot;

    /// @dev The epoch is part of the key, so that a change of owner forgets every grant in one write.
    mapping(bytes32 datanetId => mapping(uint64 epoch => mapping(address => bool))) private _distributors;

    mapping(bytes32 datanetId => mapping(address => Signer)) private _signers;

    event DatanetCreated(bytes32 indexed datanetId, address indexed owner, string uri);
    event VersionPublished(bytes32 indexed datanetId, uint32 indexed version, bytes32 contentRoot, string uri);
    event OwnershipTransferStarted(bytes32 indexed datanetId, address indexed from, address indexed to);
    event OwnershipTransferred(bytes32 indexed datanetId, address indexed from, address indexed to);
    event DistributorSet(bytes32 indexed datanetId, address indexed account, bool allowed);
    event SignerAdded(bytes32 indexed datanetId, address indexed signer, uint64 from);
    event SignerEnded(bytes32 indexed datanetId, address indexed signer, uint64 until);
    event SignerRevoked(bytes32 indexed datanetId, address indexed signer, uint64 until);

    error DatanetExists(bytes32 datanetId);
    error NotOwner(bytes32 datanetId, address account);
    error NotPendingOwner(bytes32 datanetId, address account);
    error VersionConflict(uint32 expected, uint32 current);
    error ZeroAddress();
    error SignerExists(bytes32 datanetId, address signer);
    error UnknownSigner(bytes32 datanetId, address signer);
    /// @dev `until` must lie in `[earliest, current)`.
    error BadUntil(uint64 until, uint64 earliest, uint64 current);

    /// @dev An unregistered Datanet has the zero address for owner, which no caller is.
    modifier onlyOwner(bytes32 datanetId) {
        if (_datanets[datanetId].owner != msg.sender) revert NotOwner(datanetId, msg.sender);
        _;
    }

    /// @notice Registers a Datanet owned by the caller. Its id holds chain, registry, first owner and salt, so
    /// that nobody can take another's id.
    function create(bytes32 salt, string calldata uri) external returns (bytes32 datanetId) {
        datanetId = keccak256(abi.encode(block.chainid, address(this), msg.sender, salt));
        Datanet storage datanet = _datanets[datanetId];
        // The owner is never zero again once set: ownership moves only to an account that accepts it.
        if (datanet.owner != address(0)) revert DatanetExists(datanetId);
        datanet.owner = msg.sender;
        emit DatanetCreated(datanetId, msg.sender, uri);
    }

    /// @notice Publishes the next version. `expectedVersion` is the version that the caller built upon; if another
    /// was published since, nothing happens, so that two publishers cannot overwrite each other.
    function publish(bytes32 datanetId, uint32 expectedVersion, bytes32 newContentRoot, string calldata uri)
        external
        onlyOwner(datanetId)
    {
        uint32 current = _datanets[datanetId].version;
        if (expectedVersion != current) revert VersionConflict(expectedVersion, current);
        uint32 next = current + 1;
        _datanets[datanetId].version = next;
        contentRoot[datanetId][next] = newContentRoot;
        emit VersionPublished(datanetId, next, newContentRoot, uri);
    }

    /// @notice Offers the Datanet to `to`, who must accept it; zero withdraws an offer. Two steps, so that a
    /// mistyped address cannot lose a Datanet.
    function transferOwnership(bytes32 datanetId, address to) external onlyOwner(datanetId) {
        pendingOwner[datanetId] = to;
        emit OwnershipTransferStarted(datanetId, msg.sender, to);
    }

    /// @notice Takes over an offered Datanet. All distributors of the former owner lose their right at once;
    /// receipt signers stay, for receipts that they signed must stay checkable.
    function acceptOwnership(bytes32 datanetId) external {
        if (pendingOwner[datanetId] != msg.sender) revert NotPendingOwner(datanetId, msg.sender);
        delete pendingOwner[datanetId];
        Datanet storage datanet = _datanets[datanetId];
        address from = datanet.owner;
        datanet.owner = msg.sender;
        datanet.epoch += 1;
        emit OwnershipTransferred(datanetId, from, msg.sender);
    }

    /// @notice Grants or takes the right to settle this Datanet's batches in a pool built with this registry.
    function setDistributor(bytes32 datanetId, address account, bool allowed) external onlyOwner(datanetId) {
        if (account == address(0)) revert ZeroAddress();
        _distributors[datanetId][_datanets[datanetId].epoch][account] = allowed;
        emit DistributorSet(datanetId, account, allowed);
    }

    /// @notice Lets `signer` sign receipts from now on. A key is added once: a key that was ended or revoked stays
    /// so, or a stolen one could come back. The zero address is refused, for it is what a failed recovery returns.
    function addSigner(bytes32 datanetId, address signer) external onlyOwner(datanetId) {
        if (signer == address(0)) revert ZeroAddress();
        if (_signers[datanetId][signer].from != 0) revert SignerExists(datanetId, signer);
        uint64 from = uint64(block.timestamp);
        _signers[datanetId][signer] = Signer({from: from, until: type(uint64).max, compromised: false});
        emit SignerAdded(datanetId, signer, from);
    }

    /// @notice Ends a key in good order, now or later. The end only ever moves nearer and never into the past, so
    /// that a receipt that was good stays good.
    function endSigner(bytes32 datanetId, address signer, uint64 until) external onlyOwner(datanetId) {
        Signer storage record = _knownSigner(datanetId, signer);
        if (until < block.timestamp || until >= record.until) {
            revert BadUntil(until, uint64(block.timestamp), record.until);
        }
        record.until = until;
        emit SignerEnded(datanetId, signer, until);
    }

    /// @notice Ends a stolen key at once and marks it, so that its unsettled receipts are held for the owner.
    function revokeSigner(bytes32 datanetId, address signer) external onlyOwner(datanetId) {
        Signer storage record = _knownSigner(datanetId, signer);
        if (record.until > block.timestamp) record.until = uint64(block.timestamp);
        record.compromised = true;
        emit SignerRevoked(datanetId, signer, record.until);
    }

    /// @notice The owner, or zero if the Datanet is not registered.
    function ownerOf(bytes32 datanetId) external view returns (address) {
        return _datanets[datanetId].owner;
    }

    /// @notice How often the Datanet changed hands, so that what a former owner began can be told from the present
    /// owner's.
    function epochOf(bytes32 datanetId) external view returns (uint64) {
        return _datanets[datanetId].epoch;
    }

    function isRegistered(bytes32 datanetId) external view returns (bool) {
        return _datanets[datanetId].owner != address(0);
    }

    function isDistributor(bytes32 datanetId, address account) external view returns (bool) {
        return _distributors[datanetId][_datanets[datanetId].epoch][account];
    }

    /// @notice All zero for a key that was never added.
    function signerOf(bytes32 datanetId, address signer) external view returns (Signer memory) {
        return _signers[datanetId][signer];
    }

    /// @notice The version published last; 0 before the first.
    function version(bytes32 datanetId) external view returns (uint32) {
        return _datanets[datanetId].version;
    }

    /// @notice Whether `leaf` is under the content root of that version (sorted-pair Merkle tree).
    /// @dev The tree's depth is not known here, so a node above the leaves passes too: hash the document yourself,
    /// twice, as the leaf is defined, and never take a leaf from someone else.
    function verifyDocument(bytes32 datanetId, uint32 atVersion, bytes32 leaf, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        bytes32 root = contentRoot[datanetId][atVersion];
        // An unpublished version has the zero root, under which the zero leaf would pass.
        return root != bytes32(0) && MerkleProof.verifyCalldata(proof, root, leaf);
    }

    function _knownSigner(bytes32 datanetId, address signer) private view returns (Signer storage record) {
        record = _signers[datanetId][signer];
        if (record.from == 0) revert UnknownSigner(datanetId, signer);
    }
}
