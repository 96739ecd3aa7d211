// The shop and the payment API, as both pages call them: text or JSON out, failures in sentences.

const SECONDS_TO_ANSWER = 45; // the payment API waits 30 s for the ending of a payment
const SECONDS_TO_WAIT = 5;

export class Failure extends Error {
  constructor(sentence, status = 0, answer = {}, retryAfter = null) {
    super(sentence);
    this.answer = answer;
    this.seconds = Number(retryAfter) || SECONDS_TO_WAIT;
    this.mayPass = status === 0 || status === 408 || status === 429 || status >= 500;
  }
}

/** The answer's JSON, its numbers as the text they are written in: no amount becomes a float. */
export async function ask(url, options) {
  return exact(await send(url, options));
}

/** The answer's text. Throws Failure unless the answer is a success. */
export async function send(url, options) {
  const [answer, text] = await exchange(url, options);
  if (answer.ok) return text;
  const body = exact(text);
  const sentence = body.errorMessage ?? body.error ?? `The answer is ${answer.status}.`;
  throw new Failure(sentence, answer.status, body, answer.headers.get("retry-after"));
}

export function post(body, headers = {}) {
  return { method: "POST", body, headers: { "content-type": "application/json", ...headers } };
}

export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function exchange(url, options) {
  const signal = AbortSignal.timeout(1000 * SECONDS_TO_ANSWER);
  try {
    const answer = await fetch(url, { ...options, signal });
    return [answer, await answer.text()];
  } catch {
    const who = url.startsWith("/") ? "The shop" : "The payment service";
    throw new Failure(`${who} does not answer.`);
  }
}

function exact(text) {
  try {
    return JSON.parse(text, (_, value, context) =>
      typeof value === "number" ? (context?.source ?? value) : value,
    );
  } catch {
    return {};
  }
}
