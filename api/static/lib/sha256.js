// SHA-256 in hex: the browser's own, or, where it gives none to a page without TLS, a library's.

const native = globalThis.crypto?.subtle;

export async function digest(bytes) {
  if (native) return new Uint8Array(await native.digest("SHA-256", bytes));
  return (await import("../vendor/noble-hashes/sha2.js")).sha256(bytes);
}

export async function sha256(text) {
  const found = await digest(new TextEncoder().encode(text));
  return Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
