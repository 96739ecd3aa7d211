// How a payment is shown: its state, the facts, what can be done, and the steps as they arrive.

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 };
const ADVICE = { closed: "Place a new order to pay.", open: "The order can still be paid." };
const SOURCES = { postgresql: "PostgreSQL", gateway: "Gateway", temporal: "Temporal", kafka: "Kafka" };

const state = document.getElementById("state");
const facts = document.getElementById("facts");
const cancel = document.getElementById("cancel");
const refund = document.getElementById("refund");
const reorder = document.getElementById("reorder");
const steps = document.getElementById("steps");
const workflow = document.getElementById("workflow");
const troubles = new Map();
const rows = new Map();

/** What stands in the way, by whom it is met; null when it does no longer. */
export function showTrouble(by, sentence) {
  troubles.set(by, sentence);
  write(document.getElementById("trouble"), [...new Set(troubles.values())].filter(Boolean).join(" "));
}

export function showProgress(sentence) {
  write(document.getElementById("progress"), sentence);
}

export function showState(kind, title, why = "") {
  state.dataset.kind = kind;
  write(state.querySelector(".title"), title);
  write(state.querySelector(".why"), why);
  document.title = `${title} – Ticket shop`;
}

/** Shows the payment; `outlook` says what becomes of the order if it has failed. */
export function showPayment(payment, refunds, outlook) {
  const money = `${payment.amount} ${payment.currency}`;
  showState(...stateOf(payment, refunds, outlook));
  showFacts({
    Amount: money,
    "Payment method": sentence(payment.paymentMethod),
    Order: payment.orderId,
    Payment: payment.id,
  });
  cancel.hidden = payment.status !== "pending";
  refund.hidden = payment.status !== "succeeded" || refunds.some((each) => each.status !== "failed");
  write(refund, `Refund ${money}`);
}

export function offerNewOrder(isOffered) {
  reorder.hidden = !isOffered;
}

export function showWorkflow(address) {
  workflow.href = address;
  workflow.hidden = false;
}

/** Shows the steps as they are told now, and those of the silent; how many of them are new. */
export function showSteps(timeline, silent) {
  const told = new Set(timeline.map(keyOf));
  for (const [key, row] of rows) {
    if (!told.has(key) && !silent.includes(row.dataset.source)) forgetStep(key);
  }
  const news = timeline.filter((entry) => !rows.has(keyOf(entry)));
  news.forEach(showStep);
  return news.length;
}

export function namesOf(sources) {
  return sources.map((source) => SOURCES[source] ?? source).join(" and ");
}

function stateOf(payment, refunds, outlook) {
  const [refund] = refunds.filter((each) => each.status !== "failed");
  const isUnanswered = payment.status === "failed" && outlook === "unanswered";
  if (payment.status === "pending" || isUnanswered) return ["pending", "The payment is under way"];
  if (payment.status === "failed") {
    const why = `${payment.errorMessage} No money was kept. ${ADVICE[outlook] ?? ""}`.trimEnd();
    return outlook === "open" ? ["pending", "Not paid yet", why] : ["failed", "Not paid", why];
  }
  if (!refund) return ["succeeded", "Paid"];
  const money = `${refund.amount} ${refund.currency}`;
  if (refund.status === "pending") return ["pending", "Paid", `${money} are being given back.`];
  return ["refunded", "Refunded", `${money} were given back.`];
}

function showFacts(named) {
  if (facts.dataset.of === named.Payment) return;
  facts.dataset.of = named.Payment;
  facts.replaceChildren(
    ...Object.entries(named).map(([name, value]) => {
      const fact = document.createElement("div");
      fact.append(element("dt", name), element("dd", value));
      return fact;
    }),
  );
}

function showStep(entry) {
  const row = steps.querySelector("template").content.firstElementChild.cloneNode(true);
  rows.set(keyOf(entry), row);
  const at = new Date(entry.at);
  row.dataset.at = at.getTime();
  row.dataset.source = entry.source;
  row.querySelector("time").dateTime = entry.at;
  row.querySelector("time").textContent = clock(at);
  row.querySelector(".source").textContent = namesOf([entry.source]);
  row.querySelector(".event").textContent = sentence(entry.event);
  row.querySelector(".detail").textContent = entry.detail ?? "";
  // By its time, for a source may tell late.
  const next = [...steps.querySelectorAll("li")].find((each) => Number(each.dataset.at) > at.getTime());
  steps.insertBefore(row, next ?? null);
}

function forgetStep(key) {
  rows.get(key).remove();
  rows.delete(key);
}

function keyOf({ at, source, event, detail }) {
  return JSON.stringify([at, source, event, detail]);
}

function clock(at) {
  return at.toLocaleTimeString("en-GB", CLOCK);
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1).replaceAll("_", " ");
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

// Screen readers tell again what is written again.
function write(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
