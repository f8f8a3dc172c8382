// Bytes, hashes and Solidity's abi.encode, as receipts use them. Loaded only where they are checked.

import { keccak_256 } from "../vendor/noble-hashes/sha3.js";

export { digest as sha256 } from "./sha256.js";

export const keccak = (bytes) => keccak_256(bytes);
export const utf8 = (text) => new TextEncoder().encode(text);
export const hex = (bytes) => "0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const ZERO = new Uint8Array(32);

/** Bytes one behind the other. */
export function joined(...parts) {
  const made = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  return made;
}

/** `size` bytes from lower-case hex digits behind 0x; an Error for anything else. */
export function bytes(text, size, name = "a value") {
  if (typeof text !== "string" || !/^0x[0-9a-f]*$/.test(text) || text.length !== 2 + 2 * size) {
    throw new Error(`${name} is not ${size} bytes in lower-case hex`);
  }
  return Uint8Array.from({ length: size }, (_, i) => parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16));
}

/** The 20 bytes of an address that is written with its right EIP-55 checksum. */
export function addressBytes(text, name = "an address") {
  const raw = bytes(String(text).toLowerCase(), 20, name);
  if (checksummed(raw) !== text) throw new Error(`${name} does not have its EIP-55 checksum`);
  return raw;
}

/** EIP-55 text of a 20-byte address. */
export function checksummed(raw) {
  const digits = hex(raw).slice(2);
  const hash = hex(keccak(utf8(digits))).slice(2);
  return "0x" + Array.from(digits, (digit, i) => (hash[i] >= "8" ? digit.toUpperCase() : digit)).join("");
}

/** One 32-byte word of abi.encode: a number, an address or a hash. */
export function word(value) {
  if (value instanceof Uint8Array) return joined(new Uint8Array(32 - value.length), value);
  const digits = BigInt(value).toString(16).padStart(64, "0");
  if (value < 0 || digits.length > 64) throw new Error("a number does not fit 256 bits");
  return bytes(`0x${digits}`, 32);
}

/** abi.encode of values that take one word each. */
export const encoded = (...values) => joined(...values.map(word));

/** The first four bytes of a call, by its signature. */
export const selector = (signature) => keccak(utf8(signature)).slice(0, 4);

export function same(one, other) {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** The JSON text that a hash is over: RFC 8785. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

const pair = (one, other) => keccak(hex(one) < hex(other) ? joined(one, other) : joined(other, one));

/** The Merkle root: pairs are sorted, and the last node of an odd level is paired with zeros. */
export function merkleRoot(leaves) {
  if (leaves.length === 0) return ZERO;
  let level = leaves;
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i < level.length; i += 2) above.push(pair(level[i], level[i + 1] ?? ZERO));
    level = above;
  }
  return level[0];
}

/** Whether a proof leads from one of `count` leaves to the root. */
export function proves(leaf, proof, root, count) {
  const height = count > 1 ? Math.ceil(Math.log2(count)) : 0;
  return proof.length === height && same(proof.reduce(pair, leaf), root);
}
