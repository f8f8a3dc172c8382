// Checks a receipt here, from what was signed, without believing the service that shows it. The
// steps are those of docs/receipt-format.md.

import { hashes, recoverPublicKey } from "../vendor/noble-secp256k1/index.js";
import {
  ZERO, addressBytes, bytes, canonical, checksummed, encoded, hex, joined, keccak, merkleRoot, proves,
  sha256, utf8, word,
} from "./bytes.js";
import { codePoints } from "./show.js";

const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const MESSAGE = [
  ["ledgerId", "bytes32"], ["answerId", "bytes32"], ["datanetId", "bytes32"], ["seq", "uint64"],
  ["previous", "bytes32"], ["questionHash", "bytes32"], ["answerHash", "bytes32"], ["modelId", "bytes32"],
  ["adapterId", "bytes32"], ["verifierId", "bytes32"], ["policyId", "bytes32"], ["snapshotId", "bytes32"],
  ["registryVersion", "uint32"], ["citationsRoot", "bytes32"], ["fee", "uint128"], ["dataPool", "uint128"],
  ["issuedAt", "uint64"],
];
const LINE = [
  "account", "amount", "citation_id", "cited_text_hash", "document_hash", "document_id", "end", "part",
  "share_bps", "start", "version_hash", "weight_ppm", "withheld",
];
const PARTS = ["data", "model_host", "stakers", "platform"];
const TOP = [
  "adapter", "batch", "digest", "domain", "ledger", "lines", "message", "model", "object", "policy", "proof",
  "signature", "signer", "verifier",
];
const LEDGER = [
  "chain_id", "created_at", "deployment_block", "deployment_block_hash", "deployment_tx", "genesis_hash", "pool",
  "registry", "token",
];
const BATCH = ["batch_id", "digest", "first", "last", "receipts_root", "status", "tx_hash"];
const POLICY = [
  "daily_budget", "daily_limit_per_address", "kind", "max_per_answer", "model_host", "parts_ppm", "platform",
  "price_in", "price_out", "price_per_answer", "stakers", "version",
];
const PARTS_PPM = { data: 500_000, model_host: 200_000, stakers: 200_000, platform: 100_000 };
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;
const ALL_BPS = 10_000n;
const ALL_PPM = 1_000_000;

/**
 * The steps one after the other: `{name, passed, detail}`; `passed` null could not be looked at.
 *
 * receipt: as `/v1/receipts/{id}` has it. answer: the stored answer, or null where it is not at hand.
 * textOf: gives the text of a version, `sha256:…`. signers: who may sign, as the service says.
 * chain: what asks a chain (lib/wallet.js), or null.
 */
export async function* check(receipt, { id, answer, textOf, signers, chain }) {
  const steps = [
    ["The receipt is the one that was asked for, and hashes to its id", () => digested(receipt, id)],
    ["Question and answer are the signed ones", () => said(receipt, answer)],
    ["The answer's citations are those of the receipt", () => told(receipt, answer)],
    ["Policy, verifier and model are the signed ones", () => defined(receipt)],
    ["The lines are the signed ones", () => rooted(receipt)],
    ["Every amount follows from fee, weights and shares", () => owed(receipt)],
    ...cited(receipt).map((line) => [
      `${line.citation_id} stands in ${line.document_id} at ${line.start} to ${line.end}`,
      () => quoted(line, answer, textOf),
    ]),
    ["The Ledger is the signed one", () => paidBy(receipt, chain)],
    ["The signature is that of a signer of this Datanet", () => signed(receipt, signers, chain)],
    ["The batch that pays it holds it", () => settled(receipt, chain)],
  ];
  for (const [name, look] of steps) {
    let passed = false;
    let detail = "";
    try {
      [passed, detail] = await look();
    } catch (error) {
      detail = error.message;
    }
    yield { name, passed, detail };
  }
}

function need(holds, what) {
  if (!holds) throw new Error(what);
}

function fields(value, names, what) {
  need(value !== null && typeof value === "object" && Object.keys(value).sort().join() === [...names].sort().join(),
    `${what} does not have its fields`);
}

/** Numbers and hashes as abi.encode takes them. */
function valued(value, kind, name) {
  if (kind === "bytes32") return bytes(value, 32, name);
  if (kind === "uint128") return amount(value, name);
  need(Number.isSafeInteger(value) && value >= 0, `${name} is no whole number`);
  return BigInt(value);
}

function amount(text, name = "an amount") {
  need(typeof text === "string" && /^(0|[1-9][0-9]{0,38})$/.test(text), `${name} is no amount`);
  return BigInt(text);
}

function structHash(message) {
  fields(message, MESSAGE.map(([name]) => name), "the message");
  const type = `AnswerReceipt(${MESSAGE.map(([name, kind]) => `${kind} ${name}`).join(",")})`;
  return keccak(encoded(keccak(utf8(type)), ...MESSAGE.map(([name, kind]) => valued(message[name], kind, name))));
}

function digestOf({ domain, message }) {
  fields(domain, ["chainId", "name", "verifyingContract", "version"], "the domain");
  const separator = keccak(encoded(
    keccak(utf8(DOMAIN)), keccak(utf8(domain.name)), keccak(utf8(domain.version)),
    valued(domain.chainId, "uint256", "the chain's id"), addressBytes(domain.verifyingContract, "the pool"),
  ));
  return keccak(joined(Uint8Array.of(0x19, 1), separator, structHash(message)));
}

function digested(receipt, id) {
  fields(receipt, TOP, "the receipt");
  need(receipt.object === "receipt", "it is no receipt");
  need(receipt.domain.name === "Footnote" && receipt.domain.version === "1", "the domain is not Footnote's");
  const digest = hex(digestOf(receipt));
  need(digest === receipt.digest && digest === id, `it hashes to ${digest}`);
  return [true, digest];
}

function said({ message }, answer) {
  if (!answer) return [null, "the answer is not at hand; a receipt holds no text"];
  const salt = bytes(answer.receipt.salt, 32, "the salt");
  const salted = (text) => hex(keccak(joined(salt, utf8(text))));
  need(salted(answer.question) === message.questionHash, "another question was signed");
  need(salted(answer.text) === message.answerHash, "another answer was signed");
  need(hex(keccak(utf8(answer.id))) === message.answerId, "another answer's id was signed");
  const points = codePoints(answer.text);
  for (const claim of answer.claims) {
    need(claim.text === points(claim.start, claim.end), `${claim.id} is not what stands in the answer`);
  }
  return [true, "salted hashes of both agree"];
}

/** Every citation of the answer, with all that it says, against the receipt's lines. */
function told({ lines, message, digest, signature, signer }, answer) {
  if (!answer) return [null, "the answer is not at hand"];
  const groups = new Map();
  for (const line of lines.filter((one) => one.part === "data")) {
    groups.set(line.citation_id, [...(groups.get(line.citation_id) ?? []), line]);
  }
  need(groups.size === answer.citations.length, "there are more citations on one side");
  for (const one of answer.citations) {
    const group = groups.get(one.id);
    need(group, `${one.id} is not in the receipt`);
    const [line] = group;
    const claim = answer.claims.find((claim) => claim.id === one.claim_id);
    need(claim?.citation_ids.includes(one.id), `${one.id} belongs to no claim`);
    need(one.source.document_id === line.document_id && one.source.version === line.version_hash.replace("0x", "sha256:") &&
      one.source_span.start === line.start && one.source_span.end === line.end, `${one.id} names another span than the receipt`);
    need(`0x${one.cited_text_sha256}` === line.cited_text_hash, `${one.id} has another hash than the receipt`);
    need(one.reward.weight_ppm === line.weight_ppm && (one.verdict === "supported") === (line.weight_ppm > 0),
      `${one.id} has another weight or verdict than the receipt`);
    const paid = (all) => JSON.stringify(all.sort());
    need(paid(group.map((each) => [each.account, each.share_bps, each.amount])) ===
      paid(one.contributors.map((each) => [each.address, each.share_bps, each.amount])), `${one.id} shows other payments than the receipt`);
    need(amount(one.reward.amount) === group.reduce((sum, each) => sum + amount(each.amount), 0n), `${one.id} shows another amount than the receipt`);
  }
  for (const claim of answer.claims) {
    const holds = answer.citations.some((one) => one.claim_id === claim.id && one.verdict === "supported");
    need((claim.verdict === "supported") === holds, `${claim.id} has another verdict than its citations`);
  }
  need(!answer.refused || answer.citations.length === 0, "a refusal cites nothing");
  const shown = answer.receipt;
  need(shown.id === digest && shown.seq === message.seq && shown.issued_at === message.issuedAt && shown.signature === signature &&
    shown.signer === signer, "the answer names another receipt");
  return [true, `${answer.citations.length}, with spans, weights and payments; titles and names are not signed`];
}

async function defined(receipt) {
  for (const name of ["policy", "verifier", "model", "adapter"]) {
    const wanted = receipt.message[`${name}Id`];
    if (name === "adapter" && receipt.adapter === null && wanted === hex(ZERO)) continue;
    need(receipt[name] !== null, `the service does not show the ${name}`);
    need(hex(await sha256(utf8(canonical(receipt[name])))) === wanted, `another ${name} was signed`);
  }
  return [true, receipt.model.kind ? `model ${receipt.model.kind}` : ""];
}

function leafOf(line, index) {
  fields(line, LINE, "a line");
  for (const name of ["start", "end", "weight_ppm", "share_bps"]) valued(line[name], "uint64", name);
  return keccak(keccak(encoded(
    index, bytes(line.document_hash, 32), bytes(line.version_hash, 32), line.start, line.end,
    bytes(line.cited_text_hash, 32), addressBytes(line.account), line.weight_ppm, amount(line.amount),
  )));
}

function rooted({ lines, message }) {
  const root = hex(merkleRoot(lines.map(leafOf)));
  need(root === message.citationsRoot, `they hash to ${root}`);
  return [true, `${lines.length} lines under ${root.slice(0, 10)}…`];
}

/** The first line of each citation. */
function cited({ lines }) {
  const found = new Map();
  for (const line of lines) {
    if (line.part === "data" && !found.has(line.citation_id)) found.set(line.citation_id, line);
  }
  return [...found.values()];
}

/** `total` in proportion to whole weights: the largest remainders get what is left; ties go to the earlier. */
function split(total, weights) {
  const whole = weights.reduce((sum, weight) => sum + weight, 0n);
  if (whole === 0n) return weights.map(() => 0n);
  const parts = weights.map((weight) => (weight * total) / whole);
  const left = total - parts.reduce((sum, part) => sum + part, 0n);
  const order = weights.map((_, i) => i).sort((a, b) => {
    const [one, other] = [(weights[a] * total) % whole, (weights[b] * total) % whole];
    return one === other ? a - b : one > other ? -1 : 1;
  });
  for (const i of order.slice(0, Number(left))) parts[i] += 1n;
  return parts;
}

function owed({ lines, message, policy, adapter }) {
  priced(policy);
  const data = lines.filter((line) => line.part === "data");
  const named = lines.slice(data.length);
  need(lines.slice(0, data.length).every((line) => line.part === "data"), "contributor lines must come first");
  grouped(data);
  const pool = data.reduce((sum, line) => sum + amount(line.amount), 0n);
  need(pool === amount(message.dataPool), "the contributors' amounts do not sum to the signed pool");
  const fee = amount(message.fee);
  const shares = split(fee, PARTS.map((part) => BigInt(PARTS_PPM[part])));
  const behind = new Map(data.map((line, i) => [line.citation_id, i]));
  const order = data.map((_, i) => i).sort((a, b) => {
    const [one, other] = [data[a].account.toLowerCase(), data[b].account.toLowerCase()];
    return one === other ? behind.get(data[a].citation_id) - behind.get(data[b].citation_id) : one < other ? -1 : 1;
  });
  const expected = split(shares[0], order.map((i) => BigInt(data[i].weight_ppm) * BigInt(data[i].share_bps)));
  order.forEach((i, place) => asOwed(data[i], expected[place], data[i].citation_id));
  if (named.length) {
    const wanted = PARTS.slice(1).map((part) => [part, policy[part] === "adapter_owner" ? adapter?.owner : policy[part]])
      .filter(([, account]) => typeof account === "string");
    need(JSON.stringify(named.map((line) => [line.part, line.account])) === JSON.stringify(wanted),
      "the named parts are not those of the policy");
    for (const line of named) {
      need(line.citation_id === null && line.document_id === null && line.share_bps === 0, "a named part cites");
      asOwed(line, shares[PARTS.indexOf(line.part)], line.part);
    }
  }
  return [true, `fee ${fee}, of which contributors get ${pool} base units`];
}

/** The policy is one that Footnote knows: another would say nothing of these amounts. */
function priced(policy) {
  fields(policy, POLICY, "the policy");
  fields(policy.parts_ppm, PARTS, "the policy's parts");
  need(policy.kind === "policy" && policy.version === 1, "the policy is of another kind");
  need(PARTS.every((part) => policy.parts_ppm[part] === PARTS_PPM[part]), "the policy splits fees in another way");
  for (const name of ["price_per_answer", "price_in", "price_out", "max_per_answer"]) amount(policy[name], name);
  for (const name of ["daily_budget", "daily_limit_per_address"]) policy[name] === null || amount(policy[name], name);
  for (const name of PARTS.slice(1)) {
    const plain = policy[name] === null || (name === "model_host" && policy[name] === "adapter_owner");
    if (!plain) addressBytes(policy[name], name);
  }
}

/** The amount in full, or withheld whole. */
function asOwed(line, expected, name) {
  need(typeof line.withheld === "boolean", `${name} is neither withheld nor not`);
  const got = amount(line.amount);
  const right = line.withheld ? got === 0n && expected > 0n : got === expected;
  need(right, `the amount of ${name} does not follow from the fee`);
}

/** What the root does not cover: ids, shares, and that a citation's lines name one span. */
function grouped(data) {
  const groups = [];
  for (const line of data) {
    if (groups.at(-1)?.[0].citation_id === line.citation_id) groups.at(-1).push(line);
    else groups.push([line]);
    need(typeof line.document_id === "string" && hex(keccak(utf8(line.document_id))) === line.document_hash,
      "a document's id does not match its hash");
  }
  groups.forEach((group, i) => {
    need(group[0].citation_id === `cit_${i + 1}`, "citations are not numbered in order");
    const shares = group.reduce((sum, line) => sum + BigInt(line.share_bps), 0n);
    need(shares === ALL_BPS, `the shares of cit_${i + 1} do not sum to ${ALL_BPS}`);
    const spans = new Set(group.map((line) =>
      [line.document_hash, line.version_hash, line.start, line.end, line.weight_ppm].join()));
    need(spans.size === 1, `the lines of cit_${i + 1} do not name one span`);
  });
  const weight = groups.reduce((sum, group) => sum + group[0].weight_ppm, 0);
  need(weight === 0 || weight === ALL_PPM, `weights do not sum to ${ALL_PPM}`);
}

async function quoted(line, answer, textOf) {
  const citation = answer?.citations.find((one) => one.id === line.citation_id);
  const text = await textOf(line.version_hash.replace("0x", "sha256:"));
  need(hex(await sha256(utf8(text))) === line.version_hash, "the text is not that version");
  const cut = codePoints(text)(line.start, line.end);
  need(hex(await sha256(utf8(cut))) === line.cited_text_hash, "the span does not hold what was cited");
  need(!citation || citation.cited_text === cut, "the quote shown is not what stands there");
  return [true, `“${Array.from(cut).slice(0, 60).join("")}…”`];
}

async function paidBy({ ledger, domain, message }, chain) {
  if (ledger === null) {
    need(message.ledgerId === hex(ZERO), "the service does not show the Ledger");
    return [true, "no chain: nothing is owed"];
  }
  fields(ledger, LEDGER, "the Ledger");
  for (const name of ["chain_id", "deployment_block", "created_at"]) valued(ledger[name], "uint64", name);
  for (const name of ["registry", "token"]) bytes(ledger[name], 20, name);
  const pool = bytes(ledger.pool, 20, "the pool");
  const found = keccak(encoded(
    ledger.chain_id, bytes(ledger.genesis_hash, 32), pool, bytes(ledger.deployment_tx, 32),
    bytes(ledger.deployment_block_hash, 32),
  ));
  need(hex(found) === message.ledgerId, "another Ledger was signed");
  need(domain.chainId === ledger.chain_id && domain.verifyingContract === checksummed(pool), "it was signed for another pool");
  const where = `chain ${ledger.chain_id}, pool ${domain.verifyingContract}`;
  if (!chain || !(await chain.reaches(ledger))) return [true, where];
  need(await chain.confirms(ledger), "the wallet's chain does not hold this Ledger");
  return [true, `${where}, as the wallet's chain has it`];
}

async function signed(receipt, signers, chain) {
  if (receipt.ledger === null) {
    need(receipt.signature === null && receipt.signer === null, "it names a signature, and no chain");
    return [true, "unsigned, since no chain pays"];
  }
  hashes.sha256 ??= () => { throw new Error("nothing is hashed again"); };
  const raw = bytes(receipt.signature, 65, "the signature");
  need(raw[64] === 27 || raw[64] === 28, "the signature's last byte is neither 27 nor 28");
  need(BigInt(hex(raw.slice(32, 64))) <= HALF_ORDER, "the signature is the twin of the one that was made");
  const recovered = joined(Uint8Array.of(raw[64] - 27), raw.slice(0, 64));
  const key = recoverPublicKey(recovered, digestOf(receipt), { prehash: false, isCompressed: false });
  const signer = checksummed(keccak(key.slice(1)).slice(12));
  need(signer === receipt.signer, `it is that of ${signer}`);
  if (chain && (await chain.reaches(receipt.ledger))) {
    need(await chain.confirms(receipt.ledger), "the wallet's chain does not hold this Ledger");
    const term = await chain.signerTerm(receipt.ledger, receipt.message.datanetId, signer);
    const covered = term.from > 0n && term.from <= BigInt(receipt.message.issuedAt) && BigInt(receipt.message.issuedAt) < term.until;
    need(covered && (!term.compromised || receipt.batch !== null), "the registry does not let it sign");
    return [true, `${signer}, as the registry on chain has it`];
  }
  if (!signers) return [null, `${signer}; who may sign could not be asked`];
  need(signers.includes(signer), `${signer} is no signer of this Datanet`);
  return [true, `${signer}, whom the service names as a signer`];
}

function leafOfReceipt({ message }) {
  return keccak(keccak(encoded(bytes(message.datanetId, 32), message.seq, structHash(message))));
}

async function settled(receipt, chain) {
  const { batch, proof, ledger, message } = receipt;
  if (batch === null || proof === null) {
    need(batch === null && proof === null, "batch and proof belong together");
    if (ledger === null) return [true, "nothing is owed"];
    if (chain && (await chain.reaches(ledger)) && (await chain.confirms(ledger))) {
      need((await chain.cursor(ledger, message.datanetId)) <= BigInt(message.seq), "the pool has settled it, and the service does not say so");
    }
    return [null, "not in a batch yet: pending"];
  }
  fields(batch, BATCH, "the batch");
  for (const name of ["first", "last"]) valued(batch[name], "uint64", name);
  need(batch.status === "mined" || batch.status === "final", "the batch has an unknown state");
  bytes(batch.tx_hash, 32, "the transaction");
  need(ledger !== null, "a batch without a Ledger");
  const root = bytes(batch.receipts_root, 32, "the batch's root");
  const nodes = proof.map((node) => bytes(node, 32, "a node of the proof"));
  need(batch.first <= message.seq && message.seq <= batch.last, "the batch does not reach this receipt");
  const leaf = leafOfReceipt(receipt);
  need(proves(leaf, nodes, root, batch.last - batch.first + 1), "the proof does not lead to the root");
  const id = keccak(encoded(
    ledger.chain_id, bytes(ledger.pool, 20), bytes(message.datanetId, 32), batch.first, batch.last, root,
  ));
  need(hex(id) === batch.batch_id, "the batch's id is not that of its content");
  const digest = bytes(batch.digest, 32, "the batch's digest");
  const where = `in batch ${batch.first} to ${batch.last}`;
  if (chain && (await chain.reaches(ledger))) {
    need(await chain.confirms(ledger), "the wallet's chain does not hold this Ledger");
    need(await chain.holds(ledger, id, leaf, nodes), "the pool on chain does not confirm it");
    need(await chain.stored(ledger, id, [digest, root, word(batch.first), word(batch.last)]), "the pool holds the batch with other content");
    return [true, `${where}, as the pool on chain confirms`];
  }
  return [true, `${where}; its transaction and state are the service's word, and a wallet on chain ${ledger.chain_id} would ask the pool`];
}

