#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
//
// Changes the contracts one line at a time and expects a test to fail each time.
//
//   node contracts/tools/mutants.mjs [--changed REVISION] [--only PATTERN] [--list] [--minutes N] [--jobs N]
//
//   --changed   only mutants of lines that differ from a git revision
//   --only      only mutants whose description, as --list prints it, matches a regular expression
//   --list      print them and test nothing
//   --minutes   leave out what is not begun by then, which fails the run (default 180)
//   --jobs      how many to test at a time (default 2)
//
// The tree is never touched: mutants live in a temporary folder. Unit tests are asked first, and invariants only where
// those pass. A mutant that no test can tell from the original is listed in contracts/mutants.json with the reason.
// Any other survivor fails the run, and so does an entry there that is caught or gone. Progress goes to stderr; the
// last line of the output is one JSON object.

import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { mutantsOf } from "./mutations.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const SOURCES = ["DatanetRegistry.sol", "RewardPool.sol"];
const EQUIVALENT = join(ROOT, "contracts/mutants.json");
const FORGE_SECONDS = 600;

const UNIT_TESTS = ["--no-match-contract", "Invariants|Gas"];
const INVARIANTS = ["--match-contract", "Invariants"];

const args = parseArgs({
  options: {
    changed: { type: "string" },
    only: { type: "string" },
    list: { type: "boolean", default: false },
    minutes: { type: "string", default: "180" },
    jobs: { type: "string", default: "2" },
  },
}).values;

const started = Date.now();
process.exitCode = await main();

async function main() {
  const original = Object.fromEntries(
    SOURCES.map((file) => [file, readFileSync(join(ROOT, "contracts/src", file), "utf8")]),
  );
  const every = SOURCES.flatMap((file) => mutantsOf(file, original[file]));
  const chosen = choose(every);
  if (args.list) {
    for (const mutant of chosen) console.log(shown(mutant));
    return 0;
  }
  const listed = JSON.parse(readFileSync(EQUIVALENT, "utf8"));
  return report(await testAll(chosen, original), every, listed);
}

function choose(every) {
  let chosen = every;
  if (args.changed) {
    const lines = Object.fromEntries(SOURCES.map((file) => [file, changedLines(file, args.changed)]));
    chosen = chosen.filter((mutant) => lines[mutant.file].has(mutant.number));
  }
  if (args.only) chosen = chosen.filter((mutant) => new RegExp(args.only).test(shown(mutant)));
  return chosen;
}

/** Numbers of the lines of a source that differ from what they were at a revision. */
function changedLines(file, revision) {
  const options = ["diff", "-U0", "--end-of-options", revision, "--", `contracts/src/${file}`];
  const diff = execFileSync("git", options, { cwd: ROOT, encoding: "utf8" });
  const numbers = new Set();
  for (const [, start, count] of diff.matchAll(/^@@ -\S+ \+(\d+)(?:,(\d+))? @@/gm)) {
    for (let i = 0; i < Number(count ?? 1); i++) numbers.add(Number(start) + i);
  }
  return numbers;
}

/** Says what is wrong and counts the rest; 0 if every mutant that is not listed was caught. */
function report(results, every, listed) {
  const isListed = (mutant) => listed.some((entry) => same(entry, mutant));
  const of = (verdict) => results.filter((result) => result.verdict === verdict).map((result) => result.mutant);
  const survivors = of("survived");
  const unlisted = survivors.filter((mutant) => !isListed(mutant));
  const untested = of("skipped");
  const caughtThough = [...of("caught"), ...of("not compiling")].filter(isListed);
  const gone = listed.filter((entry) => !every.some((mutant) => same(entry, mutant)));
  for (const mutant of unlisted) console.error(`survived: ${shown(mutant)}`);
  for (const mutant of caughtThough) console.error(`listed as equivalent, but caught: ${shown(mutant)}`);
  for (const entry of gone) console.error(`listed as equivalent, but gone: ${shown(entry)}`);
  if (untested.length) console.error(`${untested.length} mutants were not begun within ${args.minutes} minutes`);
  console.log(
    JSON.stringify({
      mutants: results.length - of("not compiling").length,
      caught: of("caught").length,
      survived: unlisted.length,
      equivalent: survivors.length - unlisted.length,
      skipped: untested.length,
      stale: caughtThough.length + gone.length,
      not_compiling: of("not compiling").length,
      seconds: Math.round((Date.now() - started) / 1000),
    }),
  );
  return unlisted.length + untested.length + caughtThough.length + gone.length ? 1 : 0;
}

/** The verdict on each mutant: caught, survived, not compiling or skipped. */
async function testAll(mutants, original) {
  if (!mutants.length) return [];
  const folder = mkdtempSync(join(tmpdir(), "footnote-mutants-"));
  const clear = () => rmSync(folder, { recursive: true, force: true });
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      clear();
      process.exit(130);
    });
  }
  const compiler = await startCompiler(join(folder, "solc"));
  const until = started + Number(args.minutes) * 60_000;
  const results = [];
  const waiting = [...mutants];
  try {
    const benches = await setUpBenches(folder, Math.min(Number(args.jobs), mutants.length));
    const work = async (bench) => {
      for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
        const verdict = Date.now() > until ? "skipped" : await test(bench, mutant, original[mutant.file]);
        results.push({ mutant, verdict });
        console.error(`${results.length}/${mutants.length} ${verdict}: ${shown(mutant)}`);
      }
    };
    await Promise.all(benches.map(work));
  } finally {
    compiler.close();
    clear();
  }
  return results;
}

async function test(bench, mutant, original) {
  const path = join(bench, "contracts/src", mutant.file);
  const lines = original.split("\n");
  lines[mutant.number - 1] = mutant.mutated;
  writeFileSync(path, lines.join("\n"));
  try {
    for (const tests of [UNIT_TESTS, INVARIANTS]) {
      const { code, said } = await forge(bench, tests);
      if (code === 0) continue;
      if (said.includes("Compiler run failed")) return "not compiling";
      if (said.includes("[FAIL")) return "caught";
      throw new Error(`forge ended with ${code}, but no test failed:\n${said.slice(-2000)}`);
    }
    return "survived";
  } finally {
    writeFileSync(path, original);
  }
}

/** Copies of the contracts in which all tests pass, one for each job. */
async function setUpBenches(folder, count) {
  const benches = Array.from({ length: count }, (_, number) => join(folder, String(number)));
  for (const part of ["src", "test", "tools"]) {
    cpSync(join(ROOT, "contracts", part), join(benches[0], "contracts", part), { recursive: true });
  }
  writeFileSync(join(benches[0], "contracts/foundry.toml"), settings());
  symlinkSync(join(ROOT, "node_modules"), join(benches[0], "node_modules"));
  for (const tests of [UNIT_TESTS, INVARIANTS]) {
    const { code, said } = await forge(benches[0], tests);
    if (code !== 0) throw new Error(`the tests fail without any mutant:\n${said.slice(-2000)}`);
  }
  for (const bench of benches.slice(1)) cpSync(benches[0], bench, { recursive: true, verbatimSymlinks: true });
  return benches;
}

/**
 * The project's settings, made fast: a mutant compiles one file, without the optimizer, for tests are linked at run
 * time; and each of its many tests runs less often than when it decides by itself.
 */
function settings() {
  const changes = [
    [/^optimizer = true$/m, "optimizer = false\ncode_size_limit = 100000\ndynamic_test_linking = true"],
    [/^deny = .*$/m, ""],
    [/(?<=\.fuzz\]\nruns = )\d+/, "32"],
    [/(?<=\.invariant\]\nruns = )\d+/, "8"],
  ];
  return changes.reduce((toml, [pattern, put]) => {
    if (!pattern.test(toml)) throw new Error(`contracts/foundry.toml says nothing like ${pattern}`);
    return toml.replace(pattern, put);
  }, readFileSync(join(ROOT, "contracts/foundry.toml"), "utf8"));
}

/** forge starts a compiler for every mutant; one that is running already answers in a fraction of the time. */
function startCompiler(path) {
  process.env.FOOTNOTE_SOLC = path;
  const solc = createRequire(import.meta.url)("solc");
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    const parts = [];
    connection.on("data", (part) => parts.push(part));
    connection.on("end", () => {
      const input = Buffer.concat(parts).toString();
      connection.end(input ? solc.compile(input) : solc.version());
    });
  });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

function forge(bench, options) {
  const command = [join(ROOT, "node_modules/.bin/forge"), "test", "--fail-fast", "--threads", "1", ...options];
  return new Promise((resolve) => {
    const child = spawn("nice", command, {
      cwd: bench,
      env: { ...process.env, FOUNDRY_CONFIG: "contracts/foundry.toml" },
      timeout: FORGE_SECONDS * 1000,
    });
    let said = "";
    child.stdout.on("data", (part) => (said += part));
    child.stderr.on("data", (part) => (said += part));
    child.on("close", (code) => resolve({ code, said }));
  });
}

function same(entry, mutant) {
  return ["file", "scope", "line", "mutation"].every((name) => entry[name] === mutant[name]);
}

function shown({ file, number, scope, line, mutation }) {
  return `${file}${number ? `:${number}` : ""} ${scope}: ${line}   [${mutation}]`;
}
