// Calls to the shop and the payment API. They return text or JSON, or throw an error with a sentence.

const TIMEOUT_SECONDS = 45; // longer than the payment API waits for a payment to end, which is 30 s
const RETRY_SECONDS = 5; // unless the response has Retry-After; chosen, not measured

/** `seconds`: when to try again. `isTemporary`: true if another try may succeed. */
export class RequestError extends Error {
  constructor(message, status = 0, body = {}, retryAfter = null) {
    super(message);
    this.body = body;
    this.seconds = Number(retryAfter) || RETRY_SECONDS;
    this.isTemporary = status === 0 || status === 408 || status === 429 || status >= 500;
  }
}

/** The response's JSON. Numbers are returned as the text they are written in: no amount is rounded. */
export async function fetchJson(url, options) {
  return parseExactly(await fetchText(url, options));
}

/** The response's text. Throws RequestError unless the status is a success. */
export async function fetchText(url, options) {
  const [response, text] = await exchange(url, options);
  if (response.ok) return text;
  const body = parseExactly(text);
  const message = body.errorMessage ?? body.error ?? `The answer is ${response.status}.`;
  throw new RequestError(message, response.status, body, response.headers.get("retry-after"));
}

export function post(body, headers = {}) {
  return { method: "POST", body, headers: { "content-type": "application/json", ...headers } };
}

export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function exchange(url, options) {
  const signal = AbortSignal.timeout(1000 * TIMEOUT_SECONDS);
  try {
    const response = await fetch(url, { ...options, signal });
    return [response, await response.text()];
  } catch {
    const service = url.startsWith("/") ? "The shop" : "The payment service";
    throw new RequestError(`${service} does not answer.`);
  }
}

function parseExactly(text) {
  try {
    return JSON.parse(text, (_, value, context) =>
      typeof value === "number" ? (context?.source ?? value) : value,
    );
  } catch {
    return {};
  }
}
