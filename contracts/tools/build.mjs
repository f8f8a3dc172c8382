#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
//
// Compiles the contracts and writes contracts_abi/<name>.json, from which Python deploys and calls them.
//
//   node contracts/tools/build.mjs            write the files
//   node contracts/tools/build.mjs --check    write nothing; exit 1 if a file would differ
//
// The same sources and the same locked packages give the same bytes on every machine: source names are relative to
// the repository, and the compiler adds no hash of its metadata.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const solc = createRequire(import.meta.url)("solc");
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

const CONTRACTS = ["DatanetRegistry", "RewardPool"];

// Equal to contracts/foundry.toml, so that what is tested is what is deployed.
const SETTINGS = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "prague",
  viaIR: false,
  metadata: { bytecodeHash: "none" },
};

function main(options) {
  const unknown = options.filter((option) => option !== "--check");
  if (unknown.length > 0) return fail(`unknown option ${unknown[0]}: use --check or nothing`, 64);
  checkForgeSettings();
  const files = compile();
  if (!options.includes("--check")) {
    for (const [path, text] of files) writeFileSync(join(root, path), text);
    return;
  }
  const stale = [...files].filter(([path, text]) => textOrNothing(join(root, path)) !== text).map(([path]) => path);
  if (stale.length > 0) fail(`${stale.join(", ")} not built from contracts/src as it is: run npm run build`, 1);
}

/** Each output path with the text that belongs there. */
function compile() {
  const sources = Object.fromEntries(CONTRACTS.map((name) => [sourcePath(name), { content: source(sourcePath(name)) }]));
  const input = {
    language: "Solidity",
    sources,
    settings: {
      ...SETTINGS,
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  const errors = (output.errors ?? []).filter((message) => message.severity === "error");
  if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
  return new Map(CONTRACTS.map((name) => [`contracts_abi/${name}.json`, artifact(name, output)]));
}

function artifact(name, output) {
  const { abi, evm } = output.contracts[sourcePath(name)][name];
  const fields = {
    contractName: name,
    compiler: `solc ${solc.version()}`,
    settings: SETTINGS,
    sourceSha256: createHash("sha256").update(source(sourcePath(name))).digest("hex"),
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

function checkForgeSettings() {
  const forge = source("contracts/foundry.toml");
  const expected = [
    `evm_version = "${SETTINGS.evmVersion}"`,
    `optimizer = ${SETTINGS.optimizer.enabled}`,
    `optimizer_runs = ${SETTINGS.optimizer.runs}`,
    `via_ir = ${SETTINGS.viaIR}`,
    `bytecode_hash = "${SETTINGS.metadata.bytecodeHash}"`,
  ];
  const lines = new Set(forge.split("\n"));
  const missing = expected.filter((line) => !lines.has(line));
  if (missing.length > 0) throw new Error(`contracts/foundry.toml must say: ${missing.join("; ")}`);
}

function sourcePath(name) {
  return `contracts/src/${name}.sol`;
}

/** Line ends are made equal, so that a checkout with other ones builds the same. */
function source(path) {
  return readFileSync(join(root, path), "utf8").replaceAll("\r\n", "\n");
}

function readImport(path) {
  const found = path.startsWith("@openzeppelin/") ? join("node_modules", path) : path;
  try {
    return { contents: source(found) };
  } catch {
    return { error: `${found} not found: run npm ci` };
  }
}

function textOrNothing(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function fail(message, code) {
  process.stderr.write(`contracts: ${message}\n`);
  process.exitCode = code;
}

try {
  main(process.argv.slice(2));
} catch (error) {
  fail(error.message, 1);
}
