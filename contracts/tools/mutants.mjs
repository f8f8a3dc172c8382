#!/usr/bin/env node
// Mutation testing: changes the contracts one line at a time and expects a test to fail each time.
//
//   node contracts/tools/mutants.mjs [--changed REF] [--only TEXT] [--list] [--minutes N] [--jobs N]
//
// It works on copies in a temporary folder. Survivors that behave as the original does are listed in
// contracts/mutants.json with the reason; any other survivor fails the run, and so does an entry there that
// no longer survives. The last line of the output is one JSON object.

import {execFileSync, spawn} from "node:child_process";
import {cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from "node:fs";
import {availableParallelism, tmpdir} from "node:os";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {parseArgs} from "node:util";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const SOURCES = ["DatanetRegistry.sol", "RewardPool.sol"];
const EQUIVALENT = join(ROOT, "contracts/mutants.json");

/** [pattern, replacements] for parts of a line; each occurrence is changed by itself. */
const SWAPS = [
  [/ < /g, [" <= ", " > "]],
  [/ <= /g, [" < "]],
  [/ > /g, [" >= ", " < "]],
  [/ >= /g, [" > "]],
  [/ == /g, [" != "]],
  [/ != /g, [" == "]],
  [/ && /g, [" || "]],
  [/ \|\| /g, [" && "]],
  [/ \+ /g, [" - "]],
  [/ - /g, [" + "]],
  [/ \+= /g, [" -= ", " = "]],
  [/ -= /g, [" += "]],
  [/ \|= /g, [" = ", " &= "]],
  [/ &= /g, [" |= "]],
  [/ & /g, [" | "]],
  [/ \| /g, [" & "]],
  [/~/g, [""]],
  [/ >> /g, [" << "]],
  [/\btrue\b/g, ["false"]],
  [/\bfalse\b/g, ["true"]],
  [/\bmsg\.sender\b/g, ["address(0)"]],
  [/\bmsg\.value\b/g, ["0"]],
  [/\bblock\.timestamp\b/g, ["0"]],
  [/\b(?<![\w.])([1-9]\d*)\b(?! days)/g, ["($1 + 1)"]],
  [/\b(\d+) days\b/g, ["($1 days + 1)", "($1 days - 1)"]],
  [/(?<=^\s+function .*|^\s+)\b(nonReentrant|onlyGuardianOrAdmin)\b/g, [""]],
  [/\b(whenNotPaused|onlyOwner|onlyDatanetOwner|onlyRole)\([\w.]+\)/g, [""]],
  [/Math\.min\((.+), (.+?)\)/g, ["$1", "$2"]],
  [/Rounding\.Ceil/g, ["Rounding.Floor"]],
];

const args = parseArgs({
  options: {
    changed: {type: "string"},
    only: {type: "string"},
    list: {type: "boolean", default: false},
    minutes: {type: "string", default: "120"},
    jobs: {type: "string", default: String(Math.min(2, availableParallelism()))},
    help: {type: "boolean", short: "h", default: false},
  },
}).values;

/** All mutants of one source file, in the order of its lines. */
export function mutantsOf(file, text) {
  const lines = text.split("\n");
  const found = [];
  let scope = "contract";
  for (const [index, line] of lines.entries()) {
    const named = line.match(/^ {4}(?:function (\w+)|(constructor)|modifier (\w+))/);
    if (named) scope = named[1] ?? named[2] ?? named[3];
    for (const [mutation, mutated] of mutationsOf(line)) {
      found.push({file, scope, line: line.trim(), mutation, number: index + 1, mutated});
    }
  }
  return found;
}

function* mutationsOf(line) {
  if (/^\s*(\/\/|\*|\/\*|import|pragma|event|error|struct|using|mapping|contract|\}|$)/.test(line)) return;
  if (/^\s*(uint\d*|address|bytes\d*|bool) \w+;$/.test(line)) return; // a struct's field
  const code = line.replace(/\s*\/\/.*$/, "");
  const check = code.match(/^(\s*(?:\} else )?if )\((.+)\)( revert .*;| \{| _check.*;| return .*;)$/);
  if (check) {
    yield ["never", `${check[1]}(false)${check[3]}`];
    if (!/ [=!]= /.test(check[2])) yield ["negated", `${check[1]}(!(${check[2]}))${check[3]}`];
  }
  if (/^\s+(delete |emit |_\w+\(|[\w.[\]]+ (=|\+=|-=|\|=|&=) |registry\.|_window\.)/.test(code) && code.endsWith(";")) {
    yield ["dropped", code.replace(/\S.*$/, "")];
  }
  const assigned = code.match(/^(\s+)([\w.[\]()]+ = )([^=].*);$/);
  if (assigned && /^\s{8}/.test(code) && !/[({]$/.test(code)) yield ["unset", `${assigned[1]}delete ${assigned[2].slice(0, -3)};`];
  const names = [];
  for (const [pattern, replacements] of SWAPS) {
    for (const match of code.matchAll(pattern)) {
      for (const replacement of replacements) {
        const put = match[0].replace(new RegExp(pattern.source, ""), replacement);
        const changed = match[0].match(/^\d/) || match[0].startsWith("Math") ? put : swap(match, replacement);
        const after = code.slice(0, match.index) + changed + code.slice(match.index + match[0].length);
        const nth = names.filter((name) => name === match[0] + replacement).length;
        names.push(match[0] + replacement);
        yield [`${match[0].trim()} → ${replacement.trim() || "nothing"}${nth ? ` (${nth + 1})` : ""}`, after];
      }
    }
  }
}

function swap(match, replacement) {
  return replacement.replace("$1", match[1] ?? "").replace("$2", match[2] ?? "");
}

/** A copy of what forge needs; the tests are linked at run time, so that a mutant compiles one file. */
function workshop(folder) {
  mkdirSync(folder, {recursive: true});
  for (const part of ["src", "test", "tools"]) {
    cpSync(join(ROOT, "contracts", part), join(folder, "contracts", part), {recursive: true});
  }
  const settings = readFileSync(join(ROOT, "contracts/foundry.toml"), "utf8")
    .replace(/^isolate = true$/m, "isolate = true\ndynamic_test_linking = true")
    .replace(/^deny = .*$/m, "")
    .replace(/(\[profile\.default\.fuzz\][^[]*runs = )\d+/, "$132")
    .replace(/(\[profile\.default\.invariant\][^[]*runs = )\d+/, "$18");
  writeFileSync(join(folder, "contracts/foundry.toml"), settings);
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

function forge(folder, ...options) {
  return new Promise((resolve) => {
    const child = spawn("nice", [join(ROOT, "node_modules/.bin/forge"), "test", "--fail-fast", ...options], {
      cwd: folder,
      env: {...process.env, FOUNDRY_CONFIG: "contracts/foundry.toml"},
    });
    let said = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), 180_000);
    child.stdout.on("data", (part) => (said += part));
    child.stderr.on("data", (part) => (said += part));
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({code, said});
    });
  });
}

/** caught, survived, or not compiling. Invariants and gas are asked only where unit tests pass. */
async function judge(folder, mutant, original) {
  const path = join(folder, "contracts/src", mutant.file);
  const lines = original[mutant.file].split("\n");
  lines[mutant.number - 1] = mutant.mutated;
  writeFileSync(path, lines.join("\n"));
  try {
    const quick = await forge(folder, "--no-match-contract", "Invariants|Gas");
    if (/Compiler run failed|Compilation failed/.test(quick.said)) return "not compiling";
    if (quick.code !== 0) return "caught";
    const slow = await forge(folder, "--match-contract", "Invariants|Gas");
    return slow.code === 0 ? "survived" : "caught";
  } finally {
    writeFileSync(path, original[mutant.file]);
  }
}

/** Numbers of the lines of a file that differ from what they were at a revision. */
function changedLines(file, revision) {
  const diff = execFileSync("git", ["diff", "-U0", revision, "--", `contracts/src/${file}`], {cwd: ROOT, encoding: "utf8"});
  const numbers = new Set();
  for (const [, start, count] of diff.matchAll(/^@@ -\S+ \+(\d+)(?:,(\d+))? @@/gm)) {
    for (let i = 0; i < Number(count ?? 1); i++) numbers.add(Number(start) + i);
  }
  return numbers;
}

const same = (one, other) => ["file", "scope", "line", "mutation"].every((name) => one[name] === other[name]);
const shown = (mutant) => `${mutant.file}:${mutant.number} ${mutant.scope}: ${mutant.line}   [${mutant.mutation}]`;

async function main() {
  if (args.help) {
    console.log(readFileSync(fileURLToPath(import.meta.url), "utf8").split("\n").slice(1, 9).join("\n").replaceAll("// ", ""));
    return 0;
  }
  const original = Object.fromEntries(
    SOURCES.map((file) => [file, readFileSync(join(ROOT, "contracts/src", file), "utf8")]),
  );
  const every = SOURCES.flatMap((file) => mutantsOf(file, original[file]));
  let chosen = every;
  if (args.changed) {
    const lines = Object.fromEntries(SOURCES.map((file) => [file, changedLines(file, args.changed)]));
    chosen = chosen.filter((mutant) => lines[mutant.file].has(mutant.number));
  }
  if (args.only) chosen = chosen.filter((mutant) => shown(mutant).includes(args.only));
  if (args.list) {
    for (const mutant of chosen) console.log(shown(mutant));
    return 0;
  }
  const listed = JSON.parse(readFileSync(EQUIVALENT, "utf8"));
  const gone = listed.filter((entry) => !every.some((mutant) => same(mutant, entry)));
  const results = await run(chosen, original);
  const survivors = results.filter(([, verdict]) => verdict === "survived").map(([mutant]) => mutant);
  const unlisted = survivors.filter((mutant) => !listed.some((entry) => same(mutant, entry)));
  const wrong = results.filter(
    ([mutant, verdict]) => verdict !== "survived" && verdict !== "skipped" && listed.some((entry) => same(mutant, entry)),
  );
  for (const mutant of unlisted) console.error(`SURVIVED ${shown(mutant)}`);
  for (const [mutant] of wrong) console.error(`LISTED AS EQUIVALENT, BUT CAUGHT ${shown(mutant)}`);
  for (const entry of gone) console.error(`LISTED, BUT GONE ${entry.file} ${entry.scope}: ${entry.line} [${entry.mutation}]`);
  const count = (verdict) => results.filter(([, found]) => found === verdict).length;
  console.log(
    JSON.stringify({
      mutants: chosen.length,
      caught: count("caught"),
      survived: unlisted.length,
      equivalent: survivors.length - unlisted.length,
      not_compiling: count("not compiling"),
      skipped: count("skipped"),
      stale_entries: wrong.length + gone.length,
      seconds: Math.round((Date.now() - started) / 1000),
    }),
  );
  return unlisted.length || wrong.length || gone.length ? 1 : 0;
}

const started = Date.now();

async function run(chosen, original) {
  if (!chosen.length) return [];
  const folder = mkdtempSync(join(tmpdir(), "footnote-mutants-"));
  const until = started + Number(args.minutes) * 60_000;
  const results = [];
  let next = 0;
  try {
    const workers = Array.from({length: Math.min(Number(args.jobs), chosen.length)}, async (_, number) => {
      const place = workshop(join(folder, String(number)));
      const healthy = await forge(place);
      if (healthy.code !== 0) throw new Error(`the tests fail without any mutant:\n${healthy.said.slice(-2000)}`);
      while (next < chosen.length) {
        const mutant = chosen[next++];
        const verdict = Date.now() > until ? "skipped" : await judge(place, mutant, original);
        results.push([mutant, verdict]);
        console.error(`${results.length}/${chosen.length} ${verdict}: ${shown(mutant)}`);
      }
    });
    await Promise.all(workers);
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
  return results;
}

process.exitCode = await main();
