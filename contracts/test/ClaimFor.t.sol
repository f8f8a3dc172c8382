// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RewardPool} from "../src/RewardPool.sol";
import {Claimant, Wallet} from "./Mocks.sol";
import {PoolBase} from "./PoolBase.sol";

/// Claims that somebody else brings: what an account signed, once, in time, and nothing else.
contract ClaimForTest is PoolBase {
    uint256 private constant KEY = 0xA11CE5;
    uint256 private constant HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    address private signer;
    uint256 private deadline;

    function setUp() public override {
        super.setUp();
        signer = vm.addr(KEY);
        deadline = block.timestamp + 1 hours;
        _credit(signer, 3 ether);
        _credit(BOB, 1 ether);
    }

    function test_a_signed_claim_pays_the_whole_credit_to_whom_was_named() public {
        vm.prank(STRANGER);
        pool.claimFor(signer, CAROL, deadline, _signed(signer, CAROL, 0, deadline));
        vm.assertEq(CAROL.balance, 3 ether, "paid");
        vm.assertEq(pool.credit(signer), 0, "nothing is left");
        vm.assertEq(pool.credit(BOB), 1 ether, "another's credit is as it was");
        vm.assertEq(pool.nonces(signer), 1, "its nonce is used");
        vm.assertEq(pool.nonces(BOB), 0, "another's nonce is as it was");
        vm.assertEq(pool.nonces(STRANGER), 0, "so is that of who brought it");
    }

    function test_a_signature_counts_once() public {
        bytes memory signature = _signed(signer, CAROL, 0, deadline);
        pool.claimFor(signer, CAROL, deadline, signature);
        _credit(signer, 1 ether);
        _refused(signer, CAROL, deadline, signature);
        pool.claimFor(signer, CAROL, deadline, _signed(signer, CAROL, 1, deadline));
        vm.assertEq(CAROL.balance, 4 ether, "the next nonce pays");
    }

    function test_a_signature_for_a_later_nonce_waits_for_it() public {
        _refused(signer, CAROL, deadline, _signed(signer, CAROL, 1, deadline));
    }

    function test_an_account_voids_what_it_signed() public {
        bytes memory signature = _signed(signer, CAROL, 0, deadline);
        vm.prank(STRANGER);
        pool.voidSignature();
        vm.assertEq(pool.nonces(signer), 0, "nobody voids another's");
        vm.prank(signer);
        pool.voidSignature();
        _refused(signer, CAROL, deadline, signature);
    }

    function test_a_claim_is_good_until_its_deadline_and_no_longer() public {
        bytes memory signature = _signed(signer, CAROL, 0, deadline);
        vm.warp(deadline + 1);
        vm.expectRevert(_error(RewardPool.ClaimExpired.selector, abi.encode(deadline)));
        pool.claimFor(signer, CAROL, deadline, signature);
        vm.warp(deadline);
        pool.claimFor(signer, CAROL, deadline, signature);
        vm.assertEq(CAROL.balance, 3 ether, "in time");
    }

    function test_nothing_of_a_signed_claim_can_be_changed(uint8 part) public {
        bytes memory signature = _signed(signer, CAROL, 0, deadline);
        part = uint8(_between(part, 0, 2));
        _refused(part == 0 ? BOB : signer, part == 1 ? STRANGER : CAROL, part == 2 ? deadline + 1 : deadline, signature);
    }

    function test_what_somebody_else_signed_is_refused(uint256 key) public {
        key = _between(key, 1, ORDER - 1);
        vm.assume(key != KEY);
        bytes32 hash = _hash(pool, block.chainid, signer, CAROL, 0, deadline);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        _refused(signer, CAROL, deadline, abi.encodePacked(r, s, v));
    }

    function test_the_twin_with_a_high_s_is_refused() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _hash(pool, block.chainid, signer, CAROL, 0, deadline));
        vm.assertTrue(uint256(s) <= HALF, "the first is low");
        bytes memory twin = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _refused(signer, CAROL, deadline, twin);
    }

    function test_signatures_of_other_forms_are_refused() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _hash(pool, block.chainid, signer, CAROL, 0, deadline));
        _refused(signer, CAROL, deadline, "");
        _refused(signer, CAROL, deadline, abi.encodePacked(r, s));
        _refused(signer, CAROL, deadline, abi.encodePacked(r, s, v - 27));
        _refused(signer, CAROL, deadline, abi.encodePacked(r, s, v, uint8(0)));
    }

    function test_a_signature_for_another_chain_or_another_pool_is_refused() public {
        _refused(signer, CAROL, deadline, _sign(_hash(pool, 1612, signer, CAROL, 0, deadline)));
        RewardPool other = _newPool(address(0));
        _refused(signer, CAROL, deadline, _sign(_hash(other, block.chainid, signer, CAROL, 0, deadline)));
        bytes memory signature = _signed(signer, CAROL, 0, deadline);
        uint256 here = block.chainid;
        vm.chainId(1612);
        _refused(signer, CAROL, deadline, signature);
        vm.chainId(here);
        pool.claimFor(signer, CAROL, deadline, signature);
        vm.assertEq(CAROL.balance, 3 ether, "at home it counts");
    }

    function test_the_zero_account_signs_nothing() public {
        _refused(address(0), CAROL, deadline, abi.encodePacked(bytes32(uint256(1)), bytes32(uint256(1)), uint8(27)));
    }

    function test_a_wallet_with_code_is_asked_whether_it_signed() public {
        Wallet wallet = new Wallet(signer);
        _credit(address(wallet), 2 ether);
        bytes32 hash = _hash(pool, block.chainid, address(wallet), CAROL, 0, deadline);
        wallet.refuse(true);
        _refused(address(wallet), CAROL, deadline, _sign(hash));
        wallet.refuse(false);
        pool.claimFor(address(wallet), CAROL, deadline, _sign(hash));
        vm.assertEq(CAROL.balance, 2 ether, "paid");
        _credit(address(wallet), 1 ether);
        _refused(address(wallet), CAROL, deadline, _sign(hash));
    }

    function test_a_pause_of_claim_holds_signed_claims_too() public {
        bytes memory signature = _signed(signer, CAROL, 0, deadline + 30 days);
        vm.prank(GUARDIAN);
        pool.pause(4);
        vm.expectRevert(_error(RewardPool.IsPaused.selector, abi.encode(4)));
        pool.claimFor(signer, CAROL, deadline + 30 days, signature);
        vm.warp(block.timestamp + 7 days);
        pool.claimFor(signer, CAROL, deadline + 30 days, signature);
        vm.assertEq(CAROL.balance, 3 ether, "when it has ended");
    }

    function test_a_signed_claim_without_credit_or_with_nowhere_to_go_keeps_its_nonce() public {
        address empty = vm.addr(7);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(7, _hash(pool, block.chainid, empty, CAROL, 0, deadline));
        vm.expectRevert(_error(RewardPool.NoCredit.selector, abi.encode(empty)));
        pool.claimFor(empty, CAROL, deadline, abi.encodePacked(r, s, v));
        address[2] memory nowhere = [address(0), address(pool)];
        for (uint256 i; i < 2; ++i) {
            bytes memory signature = _signed(signer, nowhere[i], 0, deadline);
            vm.expectRevert(_error(RewardPool.BadRecipient.selector, abi.encode(nowhere[i])));
            pool.claimFor(signer, nowhere[i], deadline, signature);
        }
        vm.assertEq(pool.nonces(empty) + pool.nonces(signer), 0, "no nonce is used");
        vm.assertEq(pool.credit(signer), 3 ether, "nor credit");
    }

    function test_a_recipient_that_does_not_take_it_uses_up_no_nonce() public {
        Claimant.Mode[3] memory modes = [Claimant.Mode.Refuse, Claimant.Mode.ClaimAgain, Claimant.Mode.BurnGas];
        Claimant claimant = new Claimant(pool);
        bytes memory signature = _signed(signer, address(claimant), 0, deadline);
        bytes memory call = abi.encodeCall(pool.claimFor, (signer, address(claimant), deadline, signature));
        for (uint256 i; i < modes.length; ++i) {
            claimant.set(modes[i]);
            (bool ok,) = address(pool).call{gas: 500_000}(call);
            vm.assertFalse(ok, "refused");
            vm.assertEq(pool.nonces(signer), 0, "its nonce");
            vm.assertEq(pool.credit(signer), 3 ether, "and its credit stay");
        }
        vm.prank(BOB);
        pool.claim(BOB);
        vm.assertEq(BOB.balance, 1 ether, "another is paid meanwhile");
        claimant.set(Claimant.Mode.Take);
        pool.claimFor(signer, address(claimant), deadline, signature);
        vm.assertEq(address(claimant).balance, 3 ether, "the same signature pays when it is taken");
    }

    function test_a_receipts_signature_is_no_claims() public {
        bytes32 message = keccak256(abi.encode(keccak256("AnswerReceipt(bytes32 ledgerId)"), bytes32(0)));
        _refused(signer, CAROL, deadline, _sign(_digest(pool, block.chainid, message)));
    }

    function test_the_domain_is_that_of_the_receipts() public view {
        (, string memory name, string memory version, uint256 chain, address verifying,,) = pool.eip712Domain();
        vm.assertEq(keccak256(bytes(name)), keccak256("Footnote"), "name");
        vm.assertEq(keccak256(bytes(version)), keccak256("1"), "version");
        vm.assertEq(chain, block.chainid, "chain");
        vm.assertEq(verifying, address(pool), "pool");
    }

    function _refused(address account, address to, uint256 until, bytes memory signature) private {
        uint256 credit = pool.credit(account);
        uint256 nonce = pool.nonces(account);
        vm.expectRevert(_error(RewardPool.BadSignature.selector, abi.encode(account)));
        pool.claimFor(account, to, until, signature);
        vm.assertEq(pool.credit(account), credit, "the credit is as it was");
        vm.assertEq(pool.nonces(account), nonce, "so is the nonce");
    }

    function _credit(address account, uint256 amount) private {
        _settle(amount, _one(account, amount));
    }

    function _signed(address account, address to, uint256 nonce, uint256 until) private view returns (bytes memory) {
        return _sign(_hash(pool, block.chainid, account, to, nonce, until));
    }

    function _sign(bytes32 hash) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, hash);
        return abi.encodePacked(r, s, v);
    }

    /// EIP-712 by hand.
    function _hash(RewardPool at, uint256 chain, address account, address to, uint256 nonce, uint256 until)
        private
        pure
        returns (bytes32)
    {
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)"), account, to, nonce, until
            )
        );
        return _digest(at, chain, message);
    }

    function _digest(RewardPool at, uint256 chain, bytes32 message) private pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Footnote"),
                keccak256("1"),
                chain,
                address(at)
            )
        );
        return keccak256(abi.encodePacked(bytes2(0x1901), domain, message));
    }
}
