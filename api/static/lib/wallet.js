// The wallet that a browser may have (EIP-1193): asks its chain, and sends what a person agrees to.

import { addressBytes, bytes, encoded, hex, joined, selector, word } from "./bytes.js";

export const wallet = () => window.ethereum ?? null;

const call = (signature, ...values) => joined(selector(signature), encoded(...values));

/** What `claim(to)` takes, as a transaction's data. */
export const claimData = (to) => hex(call("claim(address)", addressBytes(to)));

/** Reads of the chain that the wallet is at; null without a wallet. */
export function chainOf(found = wallet()) {
  if (!found) return null;
  const ask = (to, data) => found.request({ method: "eth_call", params: [{ to, data: hex(data) }, "latest"] });
  const word32 = (said, i) => `0x${said.slice(2 + 64 * i, 66 + 64 * i)}`;
  const same = (one, other) => String(one).toLowerCase() === String(other).toLowerCase();
  return {
    /** Whether this is the very chain and pool: genesis, deployment, and what the pool itself names. */
    async confirms(ledger) {
      const block = (number) => found.request({ method: "eth_getBlockByNumber", params: [`0x${number.toString(16)}`, false] });
      const [genesis, deployment, registry, token] = await Promise.all([
        block(0), block(ledger.deployment_block), ask(ledger.pool, call("registry()")), ask(ledger.pool, call("token()")),
      ]);
      return same(genesis?.hash, ledger.genesis_hash) && same(deployment?.hash, ledger.deployment_block_hash) &&
        Number(deployment.timestamp) === ledger.created_at &&
        same(`0x${registry.slice(-40)}`, ledger.registry) && same(`0x${token.slice(-40)}`, ledger.token);
    },
    async cursor(ledger, datanetId) {
      return BigInt(await ask(ledger.pool, call("cursor(bytes32)", bytes(datanetId, 32))));
    },
    /** Whether the pool stored a batch with digest, root, first and last, one word each. */
    async stored(ledger, batchId, words) {
      const said = await ask(ledger.pool, call("batches(bytes32)", batchId));
      return words.every((one, i) => same(word32(said, i), hex(one)));
    },
    /** Whether the wallet is at that Ledger's chain now. */
    async reaches(ledger) {
      return Number(await found.request({ method: "eth_chainId" })) === ledger.chain_id;
    },
    async holds(ledger, batchId, leaf, proof) {
      const head = call("verifyReceipt(bytes32,bytes32,bytes32[])", batchId, leaf, 96);
      const said = await ask(ledger.pool, joined(head, word(proof.length), ...proof));
      return BigInt(said) === 1n;
    },
    async signerTerm(ledger, datanetId, signer) {
      const said = await ask(ledger.registry, call("signerOf(bytes32,address)", bytes(datanetId, 32), addressBytes(signer)));
      const words = [0, 1, 2].map((i) => BigInt(word32(said, i)));
      return { from: words[0], until: words[1], compromised: words[2] === 1n };
    },
  };
}

/** The wallet's account; asks the person. */
export async function connected() {
  const [account] = await wallet().request({ method: "eth_requestAccounts" });
  return account;
}

/** Send `claim(account)` to the pool from the account; its transaction's hash. */
export async function claim(ledger, account) {
  const found = wallet();
  const chainId = `0x${ledger.chain_id.toString(16)}`;
  if (Number(await found.request({ method: "eth_chainId" })) !== ledger.chain_id) {
    await found.request({ method: "wallet_switchEthereumChain", params: [{ chainId }] });
  }
  const transaction = { from: account, to: ledger.pool, data: claimData(account), value: "0x0" };
  return found.request({ method: "eth_sendTransaction", params: [transaction] });
}

/** Until a transaction is mined; whether it succeeded. */
export async function mined(hash, seconds = 120) {
  for (const until = Date.now() + seconds * 1000; Date.now() < until; ) {
    const found = await wallet().request({ method: "eth_getTransactionReceipt", params: [hash] });
    if (found) return Number(found.status) === 1;
    await new Promise((go) => setTimeout(go, 1000));
  }
  return null;
}
