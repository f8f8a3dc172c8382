// The service, as the page sees it. Errors are problems: what happened and what to do.

const KEY = "footnote-key";

export class Problem extends Error {
  constructor(body) {
    super(body.detail);
    this.status = body.status;
    this.code = String(body.type).split(":").pop();
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

function headers(more = {}) {
  if (/[^\x21-\x7e]/.test(key.get())) {
    throw new Problem({ detail: "That is no API key: it holds other signs than keys do.", status: 401, type: "" });
  }
  return key.get() ? { ...more, Authorization: `Bearer ${key.get()}` } : more;
}

async function checked(response) {
  if (response.ok) return response;
  const plain = { detail: `The service answered ${response.status}.`, status: response.status, type: "" };
  throw new Problem({ ...plain, ...(await response.json().catch(() => ({}))) });
}

async function reached(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The service does not answer. Is it running?", status: 0, type: "" });
  }
}

/** The JSON object at an address. */
export async function get(address) {
  return (await checked(await reached(address, { headers: headers() }))).json();
}

/** The JSON object that a POST answers. `body` is JSON, or a form with files. */
export async function post(address, body) {
  const form = body instanceof FormData;
  const options = {
    method: "POST",
    headers: form ? headers() : headers({ "Content-Type": "application/json" }),
    body: form ? body : JSON.stringify(body),
  };
  return (await checked(await reached(address, options))).json();
}

/** The text at an address, unaltered: a byte order mark is a character of it. */
export async function getText(address) {
  const response = await checked(await reached(address, { headers: headers() }));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await response.arrayBuffer());
}

/** The events of an answer while it is made; leaving early, or `signal`, ends it on the service. The
 * same `name` gives the same answer, once, however often it is asked. */
export async function* answerEvents(question, name, signal) {
  const response = await checked(
    await reached("/v1/answers", {
      method: "POST",
      headers: headers({ "Content-Type": "application/json", "Idempotency-Key": name }),
      body: JSON.stringify({ ...question, stream: true }),
      signal,
    }),
  );
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((error) => {
        if (error.name === "AbortError") throw error;
        return { done: true };
      });
      if (done) throw new Problem({ detail: "The line broke off.", status: 0, type: "" });
      held += value;
      const blocks = held.split("\n\n");
      held = blocks.pop();
      for (const block of blocks) {
        const line = block.split("\n").find((one) => one.startsWith("data: "));
        if (line === undefined) continue;
        if (line === "data: [DONE]") return;
        const event = JSON.parse(line.slice(6));
        if (event.type === "error") throw new Problem(event.problem);
        yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
