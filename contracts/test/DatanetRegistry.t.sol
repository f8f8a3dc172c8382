// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DatanetRegistry} from "../src/DatanetRegistry.sol";
import {Base, Trees} from "./Base.sol";

contract DatanetRegistryTest is Base, Trees {
    // In the middle of all addresses, so that those who are refused in their place lie on both sides.
    address internal constant OWNER = address(0x7777777777777777777777777777777777777777);
    address internal constant HEIR = address(0x8888888888888888888888888888888888888888);
    address internal constant STRANGER = address(0x57);
    address internal constant WORKER = address(0x303);
    address internal constant SIGNER = address(0x516);
    uint64 internal constant START = 1_750_000_000;
    uint64 internal constant NO_END = type(uint64).max;

    DatanetRegistry internal registry;
    bytes32 internal datanet;

    function setUp() public {
        vm.warp(START);
        registry = new DatanetRegistry();
        vm.prank(OWNER);
        datanet = registry.create("salt", "ipfs://first");
    }

    // ------------------------------------------------------------------------------------------------ registration

    function test_an_id_is_made_of_chain_registry_owner_and_salt() public {
        vm.assertEq(datanet, _id(OWNER, "salt"), "id");
        vm.assertEq(registry.ownerOf(datanet), OWNER, "owner");
        vm.assertTrue(registry.isRegistered(datanet), "registered");
        vm.assertEq(registry.version(datanet), 0, "version");
        vm.chainId(1612);
        vm.prank(OWNER);
        vm.assertTrue(registry.create("salt", "") != datanet, "another chain, another id");
    }

    function test_creating_tells_who_and_where() public {
        vm.expectEmit(address(registry));
        emit DatanetRegistry.DatanetCreated(_id(STRANGER, "salt"), STRANGER, "ipfs://second");
        vm.prank(STRANGER);
        registry.create("salt", "ipfs://second");
    }

    function test_a_datanet_cannot_be_created_twice() public {
        vm.expectRevert(_error(DatanetRegistry.DatanetExists.selector, abi.encode(datanet)));
        vm.prank(OWNER);
        registry.create("salt", "ipfs://again");
    }

    function test_a_former_owner_cannot_create_the_same_datanet_again() public {
        _handOver();
        vm.expectRevert(_error(DatanetRegistry.DatanetExists.selector, abi.encode(datanet)));
        vm.prank(OWNER);
        registry.create("salt", "");
        vm.assertEq(registry.ownerOf(datanet), HEIR, "owner");
    }

    function test_an_unregistered_datanet_has_no_owner_and_obeys_nobody(bytes32 id, address caller) public {
        vm.assume(id != datanet);
        vm.assertEq(registry.ownerOf(id), address(0), "owner");
        vm.assertFalse(registry.isRegistered(id), "registered");
        if (caller == address(0)) return; // nobody can call as the zero address
        vm.expectRevert(_error(DatanetRegistry.NotOwner.selector, abi.encode(id, caller)));
        vm.prank(caller);
        registry.setDistributor(id, caller, true);
    }

    // --------------------------------------------------------------------------------------------------- ownership

    function test_ownership_moves_in_two_steps() public {
        vm.expectEmit(address(registry));
        emit DatanetRegistry.OwnershipTransferStarted(datanet, OWNER, HEIR);
        vm.prank(OWNER);
        registry.transferOwnership(datanet, HEIR);
        vm.assertEq(registry.ownerOf(datanet), OWNER, "still the old owner");
        vm.assertEq(registry.pendingOwner(datanet), HEIR, "pending");

        vm.expectEmit(address(registry));
        emit DatanetRegistry.OwnershipTransferred(datanet, OWNER, HEIR);
        vm.prank(HEIR);
        registry.acceptOwnership(datanet);
        vm.assertEq(registry.ownerOf(datanet), HEIR, "the new owner");
        vm.assertEq(registry.pendingOwner(datanet), address(0), "nobody pending");
    }

    function test_only_who_was_offered_a_datanet_can_accept_it(address caller) public {
        vm.assume(caller != HEIR);
        vm.prank(OWNER);
        registry.transferOwnership(datanet, HEIR);
        vm.expectRevert(_error(DatanetRegistry.NotPendingOwner.selector, abi.encode(datanet, caller)));
        vm.prank(caller);
        registry.acceptOwnership(datanet);
    }

    function test_a_withdrawn_offer_cannot_be_accepted() public {
        vm.prank(OWNER);
        registry.transferOwnership(datanet, HEIR);
        vm.prank(OWNER);
        registry.transferOwnership(datanet, address(0));
        vm.expectRevert(_error(DatanetRegistry.NotPendingOwner.selector, abi.encode(datanet, HEIR)));
        vm.prank(HEIR);
        registry.acceptOwnership(datanet);
    }

    function test_an_offer_is_accepted_once() public {
        _handOver();
        vm.expectRevert(_error(DatanetRegistry.NotPendingOwner.selector, abi.encode(datanet, HEIR)));
        vm.prank(HEIR);
        registry.acceptOwnership(datanet);
    }

    function test_only_the_owner_may_change_a_datanet(address caller) public {
        vm.assume(caller != OWNER);
        bytes memory refusal = _error(DatanetRegistry.NotOwner.selector, abi.encode(datanet, caller));
        _reverts(caller, refusal, abi.encodeCall(registry.transferOwnership, (datanet, caller)));
        _reverts(caller, refusal, abi.encodeCall(registry.setDistributor, (datanet, caller, true)));
        _reverts(caller, refusal, abi.encodeCall(registry.addSigner, (datanet, caller)));
        _reverts(caller, refusal, abi.encodeCall(registry.endSigner, (datanet, SIGNER, START)));
        _reverts(caller, refusal, abi.encodeCall(registry.revokeSigner, (datanet, SIGNER)));
        _reverts(caller, refusal, abi.encodeCall(registry.publish, (datanet, 0, "root", "")));
    }

    // ------------------------------------------------------------------------------------------------ distributors

    function test_the_owner_grants_and_takes_the_right_to_settle() public {
        vm.expectEmit(address(registry));
        emit DatanetRegistry.DistributorSet(datanet, WORKER, true);
        vm.prank(OWNER);
        registry.setDistributor(datanet, WORKER, true);
        vm.assertTrue(registry.isDistributor(datanet, WORKER), "granted");
        vm.assertFalse(registry.isDistributor(datanet, STRANGER), "to nobody else");
        vm.assertFalse(registry.isDistributor(_id(OWNER, "other"), WORKER), "for no other Datanet");

        vm.prank(OWNER);
        registry.setDistributor(datanet, WORKER, false);
        vm.assertFalse(registry.isDistributor(datanet, WORKER), "taken");
    }

    function test_the_zero_address_cannot_be_a_distributor() public {
        _reverts(
            OWNER,
            _error(DatanetRegistry.ZeroAddress.selector, ""),
            abi.encodeCall(registry.setDistributor, (datanet, address(0), true))
        );
    }

    function test_a_change_of_owner_revokes_all_distributors() public {
        vm.prank(OWNER);
        registry.setDistributor(datanet, WORKER, true);
        _handOver();
        vm.assertFalse(registry.isDistributor(datanet, WORKER), "revoked");
        vm.prank(HEIR);
        registry.transferOwnership(datanet, OWNER);
        vm.prank(OWNER);
        registry.acceptOwnership(datanet);
        vm.assertFalse(registry.isDistributor(datanet, WORKER), "an old grant does not return with the old owner");
    }

    // ----------------------------------------------------------------------------------------------------- signers

    function test_a_signer_counts_from_now_and_without_end() public {
        vm.expectEmit(address(registry));
        emit DatanetRegistry.SignerAdded(datanet, SIGNER, START);
        _addSigner();
        _assertSigner(START, NO_END, false);
    }

    function test_an_unknown_signer_is_all_zero() public view {
        _assertSigner(0, 0, false);
    }

    function test_a_signer_is_added_once_even_after_its_end() public {
        _addSigner();
        bytes memory refusal = _error(DatanetRegistry.SignerExists.selector, abi.encode(datanet, SIGNER));
        _reverts(OWNER, refusal, abi.encodeCall(registry.addSigner, (datanet, SIGNER)));
        vm.prank(OWNER);
        registry.revokeSigner(datanet, SIGNER);
        vm.warp(START + 1 days);
        _reverts(OWNER, refusal, abi.encodeCall(registry.addSigner, (datanet, SIGNER)));
    }

    function test_the_zero_address_cannot_be_a_signer() public {
        _reverts(
            OWNER,
            _error(DatanetRegistry.ZeroAddress.selector, ""),
            abi.encodeCall(registry.addSigner, (datanet, address(0)))
        );
    }

    function test_a_signer_ends_now_or_later_and_only_ever_sooner(uint64 until, uint64 sooner) public {
        until = uint64(_between(until, START + 1, NO_END - 1));
        sooner = uint64(_between(sooner, START, until - 1));
        _addSigner();
        vm.expectEmit(address(registry));
        emit DatanetRegistry.SignerEnded(datanet, SIGNER, until);
        _endSigner(until);
        _endSigner(sooner);
        _assertSigner(START, sooner, false);
    }

    function test_an_end_cannot_lie_in_the_past_nor_be_put_off(uint64 past, uint64 later) public {
        uint64 until = START + 10 days;
        past = uint64(_between(past, 0, START - 1));
        later = uint64(_between(later, until, NO_END));
        _addSigner();
        _endSigner(until);
        _reverts(
            OWNER,
            _error(DatanetRegistry.BadUntil.selector, abi.encode(past, START, until)),
            abi.encodeCall(registry.endSigner, (datanet, SIGNER, past))
        );
        _reverts(
            OWNER,
            _error(DatanetRegistry.BadUntil.selector, abi.encode(later, START, until)),
            abi.encodeCall(registry.endSigner, (datanet, SIGNER, later))
        );
        _assertSigner(START, until, false);
    }

    function test_a_signer_that_has_ended_cannot_be_ended_again() public {
        _addSigner();
        _endSigner(START + 5);
        vm.warp(START + 10);
        _reverts(
            OWNER,
            _error(DatanetRegistry.BadUntil.selector, abi.encode(START + 10, START + 10, START + 5)),
            abi.encodeCall(registry.endSigner, (datanet, SIGNER, START + 10))
        );
    }

    function test_a_stolen_key_ends_at_once_and_is_marked() public {
        _addSigner();
        vm.warp(START + 3 days);
        vm.expectEmit(address(registry));
        emit DatanetRegistry.SignerRevoked(datanet, SIGNER, START + 3 days);
        vm.prank(OWNER);
        registry.revokeSigner(datanet, SIGNER);
        _assertSigner(START, START + 3 days, true);
    }

    function test_revoking_an_ended_key_keeps_its_earlier_end() public {
        _addSigner();
        _endSigner(START + 1 days);
        vm.warp(START + 3 days);
        vm.prank(OWNER);
        registry.revokeSigner(datanet, SIGNER);
        _assertSigner(START, START + 1 days, true);
    }

    function test_only_a_known_signer_can_be_ended_or_revoked() public {
        bytes memory refusal = _error(DatanetRegistry.UnknownSigner.selector, abi.encode(datanet, SIGNER));
        _reverts(OWNER, refusal, abi.encodeCall(registry.endSigner, (datanet, SIGNER, START)));
        _reverts(OWNER, refusal, abi.encodeCall(registry.revokeSigner, (datanet, SIGNER)));
    }

    function test_a_change_of_owner_keeps_the_signers() public {
        _addSigner();
        _handOver();
        _assertSigner(START, NO_END, false);
    }

    // ---------------------------------------------------------------------------------------------------- versions

    function test_versions_count_from_one_and_keep_their_roots() public {
        vm.expectEmit(address(registry));
        emit DatanetRegistry.VersionPublished(datanet, 1, "one", "ipfs://one");
        _publish(0, "one", "ipfs://one");
        _publish(1, "two", "ipfs://two");
        vm.assertEq(registry.version(datanet), 2, "version");
        vm.assertEq(registry.contentRoot(datanet, 1), "one", "root 1");
        vm.assertEq(registry.contentRoot(datanet, 2), "two", "root 2");
    }

    function test_a_version_built_upon_an_old_one_is_refused(uint32 expected) public {
        vm.assume(expected != 1);
        _publish(0, "one", "");
        _reverts(
            OWNER,
            _error(DatanetRegistry.VersionConflict.selector, abi.encode(expected, 1)),
            abi.encodeCall(registry.publish, (datanet, expected, "two", ""))
        );
        vm.assertEq(registry.version(datanet), 1, "version");
        vm.assertEq(registry.contentRoot(datanet, 2), 0, "no root 2");
    }

    function test_documents_of_a_version_verify_against_that_version_only(uint256 count, uint256 index) public {
        count = _between(count, 1, 33);
        index = _between(index, 0, count - 1);
        bytes32[] memory leaves = _leaves(count);
        _publish(0, _root(leaves), "");
        _publish(1, "another", "");
        bytes32[] memory proof = _proof(leaves, index);
        vm.assertTrue(registry.verifyDocument(datanet, 1, leaves[index], proof), "published");
        vm.assertFalse(registry.verifyDocument(datanet, 2, leaves[index], proof), "another version");
        vm.assertFalse(registry.verifyDocument(datanet, 1, keccak256("other"), proof), "another document");
    }

    function test_nothing_verifies_against_a_version_that_was_not_published(bytes32 leaf) public view {
        vm.assertFalse(registry.verifyDocument(datanet, 1, 0, new bytes32[](0)), "zero leaf");
        vm.assertFalse(registry.verifyDocument(datanet, 1, leaf, new bytes32[](0)), "any leaf");
    }

    // ----------------------------------------------------------------------------------------------------- helpers

    function _id(address owner, bytes32 salt) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(registry), owner, salt));
    }

    function test_every_change_of_owner_forgets_the_grants_before_it_not_only_the_first() public {
        vm.assertEq(registry.epochOf(datanet), 0, "at first");
        _handOver();
        vm.assertEq(registry.epochOf(datanet), 1, "one change");
        vm.prank(HEIR);
        registry.setDistributor(datanet, WORKER, true);
        vm.prank(HEIR);
        registry.transferOwnership(datanet, STRANGER);
        vm.prank(STRANGER);
        registry.acceptOwnership(datanet);
        vm.assertEq(registry.epochOf(datanet), 2, "two changes");
        vm.assertFalse(registry.isDistributor(datanet, WORKER), "forgotten");
    }

    function _handOver() private {
        vm.prank(OWNER);
        registry.transferOwnership(datanet, HEIR);
        vm.prank(HEIR);
        registry.acceptOwnership(datanet);
    }

    function _addSigner() private {
        vm.prank(OWNER);
        registry.addSigner(datanet, SIGNER);
    }

    function _endSigner(uint64 until) private {
        vm.prank(OWNER);
        registry.endSigner(datanet, SIGNER, until);
    }

    function _publish(uint32 expected, bytes32 root, string memory uri) private {
        vm.prank(OWNER);
        registry.publish(datanet, expected, root, uri);
    }

    function _assertSigner(uint64 from, uint64 until, bool compromised) private view {
        DatanetRegistry.Signer memory signer = registry.signerOf(datanet, SIGNER);
        vm.assertEq(signer.from, from, "from");
        vm.assertEq(signer.until, until, "until");
        vm.assertTrue(signer.compromised == compromised, "compromised");
    }

    function _reverts(address caller, bytes memory refusal, bytes memory call) private {
        vm.prank(caller);
        (bool ok, bytes memory answer) = address(registry).call(call);
        vm.assertFalse(ok, "refused");
        vm.assertEq(keccak256(answer), keccak256(refusal), "the exact error");
    }
}
