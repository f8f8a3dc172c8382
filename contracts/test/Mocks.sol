// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {RewardPool} from "../src/RewardPool.sol";

contract TestToken is ERC20("Test", "TEST") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// Keeps one per cent of every transfer.
contract FeeToken is TestToken {
    function _update(address from, address to, uint256 amount) internal override {
        uint256 fee = from == address(0) ? 0 : amount / 100;
        super._update(from, to, amount - fee);
        if (fee != 0) super._update(from, address(this), fee);
    }
}

/// Adds one per cent to every transfer.
contract BonusToken is TestToken {
    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0)) super._update(address(0), to, amount / 100);
    }
}

/// Calls back into the pool while the pool is paid or pays, and wants that call to succeed.
contract HookToken is TestToken {
    RewardPool public pool;
    bytes public call;

    function arm(RewardPool pool_, bytes calldata call_) external {
        (pool, call) = (pool_, call_);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (address(pool) == address(0)) return;
        if (to == address(pool) || from == address(pool)) _callOrBubble(address(pool), call);
    }
}

/// Says no instead of reverting, as some old tokens do.
contract RefusingToken is TestToken {
    bool public refuses;

    function refuse() external {
        refuses = true;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return !refuses && super.transfer(to, amount);
    }
}

/// An account that does something when it is paid.
contract Claimant {
    enum Mode {
        Take,
        Refuse,
        RefuseSilently,
        ClaimAgain,
        BurnGas
    }

    error DoesNotTake();

    RewardPool public immutable pool;
    Mode public mode;

    constructor(RewardPool pool_) {
        pool = pool_;
    }

    function set(Mode mode_) external {
        mode = mode_;
    }

    function claim() external {
        pool.claim(address(this));
    }

    receive() external payable {
        if (mode == Mode.Refuse) revert DoesNotTake();
        if (mode == Mode.RefuseSilently) {
            assembly {
                revert(0, 0)
            }
        }
        if (mode == Mode.BurnGas) {
            while (true) {}
        }
        if (mode == Mode.ClaimAgain) _callOrBubble(address(pool), abi.encodeCall(RewardPool.claim, (address(this))));
    }
}

/// A wallet with code: asked whether it signed, it says what its owner did (ERC-1271).
contract Wallet {
    address public immutable owner;
    bool public refuses;

    constructor(address owner_) {
        owner = owner_;
    }

    function refuse(bool refuses_) external {
        refuses = refuses_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer,,) = ECDSA.tryRecover(hash, signature);
        return !refuses && signer == owner ? bytes4(0x1626ba7e) : bytes4(0);
    }
}

/// Sends its coin without asking, in its constructor.
contract Forcer {
    constructor(address payable to) payable {
        selfdestruct(to);
    }
}

function _callOrBubble(address to, bytes memory data) {
    (bool ok, bytes memory answer) = to.call(data);
    if (!ok) {
        assembly {
            revert(add(answer, 32), mload(answer))
        }
    }
}
