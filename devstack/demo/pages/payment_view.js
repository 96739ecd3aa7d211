// Shows a payment: its state, its data, the buttons that can be used, and its steps.

import { addressOf, deadlineOf } from "./next_action.js";

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 };
const ADVICE = { closed: "Place a new order to pay.", open: "The order can still be paid." };
const SOURCES = { postgresql: "PostgreSQL", gateway: "Gateway", temporal: "Temporal", kafka: "Kafka" };

const state = document.getElementById("state");
const facts = document.getElementById("facts");
const cancel = document.getElementById("cancel");
const refund = document.getElementById("refund");
const reorder = document.getElementById("reorder");
const go = document.getElementById("go");
const steps = document.getElementById("steps");
const workflow = document.getElementById("workflow");
const problems = new Map();
const rows = new Map();

/** Shows the problem of one action; null removes it. The problems of other actions stay. */
export function showProblem(action, sentence) {
  problems.set(action, sentence);
  write(document.getElementById("problem"), [...new Set(problems.values())].filter(Boolean).join(" "));
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

/**
 * Shows the payment. `orderState` is used if it has failed. `open`: the order can still be paid;
 * `closed`: it cannot; `unanswered`: the request has no response yet; `unknown`: it was sent elsewhere.
 * `nextAction`: what the customer must do at the gateway; null if nothing.
 */
export function showPayment(payment, refunds, orderState, nextAction) {
  const money = `${payment.amount} ${payment.currency}`;
  const address = addressOf(nextAction);
  if (address) showState("pending", "The payment waits for you", deadlineOf(nextAction));
  else showState(...stateOf(payment, refunds, orderState));
  showLink(address);
  showFacts({
    Amount: money,
    "Payment method": readable(payment.paymentMethod),
    Order: payment.orderId,
    Payment: payment.id,
  });
  cancel.hidden = payment.status !== "pending";
  refund.hidden = payment.status !== "succeeded" || refunds.some((each) => each.status !== "failed");
  write(refund, `Refund ${money}`);
}

/** Shows the link to the gateway's page, or hides it if `address` is null. */
function showLink(address) {
  go.hidden = !address;
  if (address) go.href = address;
  else go.removeAttribute("href");
}

export function offerNewOrder(isOffered) {
  reorder.hidden = !isOffered;
}

export function showWorkflow(address) {
  workflow.href = address;
  workflow.hidden = false;
}

/**
 * Shows the timeline. A silent source did not respond this time: its steps stay as they are. Returns
 * the number of new steps.
 */
export function showSteps(timeline, silent) {
  const current = new Set(timeline.map(keyOf));
  for (const [key, row] of rows) {
    if (!current.has(key) && !silent.includes(row.dataset.source)) removeStep(key);
  }
  const newEntries = timeline.filter((entry) => !rows.has(keyOf(entry)));
  newEntries.forEach(showStep);
  return newEntries.length;
}

export function namesOf(sources) {
  return sources.map((source) => SOURCES[source] ?? source).join(" and ");
}

function stateOf(payment, refunds, orderState) {
  const [refund] = refunds.filter((each) => each.status !== "failed");
  const isUnanswered = payment.status === "failed" && orderState === "unanswered";
  if (payment.status === "pending" || isUnanswered) return ["pending", "The payment is under way"];
  if (payment.status === "failed") {
    const why = `${payment.errorMessage} No money was kept. ${ADVICE[orderState] ?? ""}`.trimEnd();
    return orderState === "open" ? ["pending", "Not paid yet", why] : ["failed", "Not paid", why];
  }
  if (!refund) return ["succeeded", "Paid"];
  const money = `${refund.amount} ${refund.currency}`;
  if (refund.status === "pending") return ["pending", "Paid", `${money} are being given back.`];
  return ["refunded", "Refunded", `${money} were given back.`];
}

function showFacts(values) {
  if (facts.dataset.of === values.Payment) return;
  facts.dataset.of = values.Payment;
  facts.replaceChildren(
    ...Object.entries(values).map(([name, value]) => {
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
  row.querySelector(".event").textContent = readable(entry.event);
  row.querySelector(".detail").textContent = entry.detail ?? "";
  // Sorted by time, because a source may report late.
  const next = [...steps.querySelectorAll("li")].find((each) => Number(each.dataset.at) > at.getTime());
  steps.insertBefore(row, next ?? null);
}

function removeStep(key) {
  rows.get(key).remove();
  rows.delete(key);
}

function keyOf({ at, source, event, detail }) {
  return JSON.stringify([at, source, event, detail]);
}

function clock(at) {
  return at.toLocaleTimeString("en-GB", CLOCK);
}

function readable(words) {
  return words.charAt(0).toUpperCase() + words.slice(1).replaceAll("_", " ");
}

function element(name, text) {
  const created = document.createElement(name);
  created.textContent = text;
  return created;
}

// Unchanged text is not written again: a screen reader would read it out again.
function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
