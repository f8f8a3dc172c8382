// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Trees} from "./Base.sol";
import {PoolBase} from "./PoolBase.sol";

contract VerifyReceiptTest is PoolBase, Trees {
    function test_every_receipt_of_a_batch_verifies(uint256 count, uint64 before) public {
        count = _between(count, 1, 40);
        before = uint64(_between(before, 0, type(uint64).max - 42));
        if (before != 0) _settle(0, before - 1, 0, _none());
        bytes32[] memory leaves = _leaves(count);
        bytes32 id = _settleTree(leaves);
        for (uint256 i; i < count; ++i) {
            vm.assertTrue(pool.verifyReceipt(id, leaves[i], _proof(leaves, i)), "a receipt of the batch");
        }
    }

    function test_a_batch_of_one_receipt_verifies_without_a_proof() public {
        bytes32[] memory leaves = _leaves(1);
        bytes32 id = _settleTree(leaves);
        vm.assertTrue(pool.verifyReceipt(id, leaves[0], new bytes32[](0)), "the leaf is the root");
        vm.assertFalse(pool.verifyReceipt(id, keccak256("other"), new bytes32[](0)), "another leaf");
    }

    function test_a_known_tree_has_the_known_root() public pure {
        bytes32[] memory leaves = new bytes32[](3);
        (leaves[0], leaves[1], leaves[2]) = (bytes32(uint256(3)), bytes32(uint256(1)), bytes32(uint256(2)));
        bytes32 left = keccak256(abi.encode(uint256(1), uint256(3)));
        bytes32 right = keccak256(abi.encode(uint256(0), uint256(2)));
        bytes32 root = left < right ? keccak256(abi.encode(left, right)) : keccak256(abi.encode(right, left));
        vm.assertEq(_root(leaves), root, "root");
    }

    function test_no_node_above_the_leaves_is_taken_for_a_receipt(uint256 count) public {
        count = _between(count, 2, 40);
        bytes32[] memory nodes = _leaves(count);
        bytes32 id = _settleTree(nodes);
        while (nodes.length > 1) {
            nodes = _above(nodes);
            for (uint256 i; i < nodes.length; ++i) {
                vm.assertFalse(pool.verifyReceipt(id, nodes[i], _proof(nodes, i)), "a node, with its own proof");
            }
        }
    }

    function test_the_padding_is_not_a_receipt() public {
        bytes32[] memory leaves = _leaves(3);
        bytes32 id = _settleTree(leaves);
        bytes32[] memory proof = _proof(leaves, 2);
        proof[0] = leaves[2];
        vm.assertFalse(pool.verifyReceipt(id, 0, proof), "zero");
    }

    function test_a_proof_of_another_length_fails() public {
        bytes32[] memory leaves = _leaves(4);
        bytes32 id = _settleTree(leaves);
        bytes32[] memory proof = _proof(leaves, 0);
        bytes32[] memory shorter = new bytes32[](1);
        shorter[0] = proof[0];
        bytes32[] memory longer = new bytes32[](3);
        (longer[0], longer[1]) = (proof[0], proof[1]);
        vm.assertFalse(pool.verifyReceipt(id, leaves[0], shorter), "shorter");
        vm.assertFalse(pool.verifyReceipt(id, leaves[0], longer), "longer");
        vm.assertFalse(pool.verifyReceipt(id, leaves[0], new bytes32[](0)), "none");
    }

    function test_a_root_over_more_leaves_than_the_batch_has_receipts_proves_none_of_them() public {
        bytes32[] memory leaves = _leaves(8);
        vm.prank(WORKER);
        bytes32 id = pool.settle(datanet, 0, 3, _root(leaves), 0, _none());
        for (uint256 i; i < 8; ++i) {
            vm.assertFalse(pool.verifyReceipt(id, leaves[i], _proof(leaves, i)), "a leaf that lies too deep");
        }
    }

    function test_a_changed_leaf_or_proof_fails(uint256 index, uint256 step, bytes32 change) public {
        vm.assume(change != 0);
        bytes32[] memory leaves = _leaves(13);
        bytes32 id = _settleTree(leaves);
        index = _between(index, 0, 12);
        bytes32[] memory proof = _proof(leaves, index);
        vm.assertFalse(pool.verifyReceipt(id, leaves[index] ^ change, proof), "leaf");
        proof[_between(step, 0, 3)] ^= change;
        vm.assertFalse(pool.verifyReceipt(id, leaves[index], proof), "proof");
    }

    function test_a_receipt_verifies_in_its_own_batch_only() public {
        bytes32[] memory leaves = _leaves(4);
        bytes32 id = _settleTree(leaves);
        bytes32 otherId = _settle(4, 7, 0, _none());
        bytes32[] memory proof = _proof(leaves, 0);
        vm.assertTrue(pool.verifyReceipt(id, leaves[0], proof), "its own");
        vm.assertFalse(pool.verifyReceipt(otherId, leaves[0], proof), "another");
    }

    function test_nothing_verifies_in_a_batch_that_was_not_settled(bytes32 id, bytes32 leaf) public view {
        vm.assertFalse(pool.verifyReceipt(id, leaf, new bytes32[](0)), "any leaf");
        vm.assertFalse(pool.verifyReceipt(id, 0, new bytes32[](0)), "the zero leaf under the zero root");
    }

    function _settleTree(bytes32[] memory leaves) private returns (bytes32) {
        uint64 first = pool.cursor(datanet);
        vm.prank(WORKER);
        return pool.settle(datanet, first, first + uint64(leaves.length) - 1, _root(leaves), 0, _none());
    }
}
