// The payment page: sends the request that the checkout has stored, redirects the customer to the gateway
// if that is necessary, shows the payment until it ends, and lets the user cancel it, refund it or order
// again.

import {
  finishedBasketOf,
  mayRedirect,
  orderOf,
  placeOrder,
  requestOf,
  setFinished,
} from "./checkout_session.js";
import { fetchJson, fetchText, pause, post } from "./http.js";
import { addressOf } from "./next_action.js";
import * as view from "./payment_view.js";

// All in milliseconds. Chosen, not measured, unless a reason is given.
const SHORTEST_PAUSE = 400; // between two reads while new steps appear
const LONGEST_PAUSE = 5000; // between two reads while none appear
const PAUSE_FACTOR = 1.3; // how fast the pause grows from the shortest to the longest
const QUIET_WITH_EVENTS = 2000; // without new steps, once Kafka has shown every expected event
const QUIET_WITHOUT_EVENTS = 30_000; // without new steps, while Kafka has not
const PENDING_PAUSE = 5000; // the API's Retry-After of a payment that is still running

const query = readAddress();
const { paymentApi, workflows } = await fetchJson("/addresses");
const payments = `${paymentApi}/payments`;
const orderId = query.get("order");
let payment = null;
let retriedId = null; // the id of a failed payment after which the request is sent again
let nextAction = null; // what the customer must do at the gateway; null if the payment does not wait
let isFollowing = false;
let isPaying = false;
let wake = () => {};

/**
 * Reads the query of this page. The gateway adds parameters to it, among them a secret. They are removed,
 * because the payment service knows the state of the payment. If the order was placed in this tab, the
 * page continues with the order.
 */
function readAddress() {
  const query = new URLSearchParams(location.search);
  const added = ["payment_intent", "payment_intent_client_secret", "redirect_status"];
  added.forEach((name) => query.delete(name));
  const order = orderOf(query.get("payment"));
  if (order) {
    query.delete("payment");
    query.set("order", order);
  }
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  return query;
}

async function pay() {
  if (isPaying) return;
  isPaying = true;
  await payUntilFinal();
  isPaying = false;
}

/** Sends the stored request until its response is final. The key makes the repetition harmless. */
async function payUntilFinal() {
  for (let request; (request = requestOf(orderId)); follow()) {
    try {
      const headers = { "idempotency-key": request.key };
      const response = await fetchJson(payments, post(request.body, headers));
      view.showProblem("pay", null);
      if (response.payment.status !== "pending") setFinished(orderId);
      else if (redirects(response)) return;
      else await pause(PENDING_PAUSE);
    } catch (error) {
      if (error.isTemporary) await pause(announceRetryOfPayment(error));
      else finishRefused(error);
    }
  }
}

/** Redirects the customer to the gateway if necessary, once for each payment. Returns whether it does. */
function redirects({ payment, nextAction }) {
  const address = addressOf(nextAction);
  if (!address || !mayRedirect(orderId, payment.id)) return false;
  location.assign(address);
  return true;
}

function announceRetryOfPayment(error) {
  retriedId = error.body.payment?.id;
  follow();
  return announceRetry("pay", error);
}

function finishRefused(error) {
  setFinished(orderId);
  view.showProblem("pay", error.body.payment ? null : error.message);
}

/** Shows new steps until the payment has ended and no more are expected. */
async function follow() {
  if (isFollowing) return wake();
  isFollowing = true;
  view.showProgress("New steps appear by themselves.");
  try {
    await followUntilOver();
    view.showProgress("No further steps are expected.");
  } catch (error) {
    view.showState("none", error.message);
    view.showProgress("");
  }
  isFollowing = false;
}

async function followUntilOver() {
  let delay = SHORTEST_PAUSE;
  for (let lastNew = Date.now(); ; ) {
    try {
      const latest = await readAndShow();
      view.showProblem("follow", missingSources(latest));
      if (latest.newSteps) lastNew = Date.now();
      if (isOver(latest, Date.now() - lastNew)) return;
      delay = latest.newSteps ? SHORTEST_PAUSE : Math.min(PAUSE_FACTOR * delay, LONGEST_PAUSE);
      await pauseUnlessWoken(delay);
    } catch (error) {
      if (!error.isTemporary) throw error;
      await pauseUnlessWoken(announceRetry("follow", error));
    }
  }
}

async function readAndShow() {
  const isAsking = Boolean(requestOf(orderId)); // when it is shown; it may have its response later
  ({ payment, nextAction = null } = await findPayment());
  view.offerNewOrder(finishedBasketOf(orderId) && (payment?.status ?? "failed") === "failed");
  if (!payment) return showNoPayment(isAsking);
  const refunds = await findRefunds();
  view.showPayment(payment, refunds, orderState(), nextAction);
  showWorkflow(payment.orderId);
  const { timeline, silent } = await fetchJson(`${payments}/${payment.id}/timeline`);
  return { isAsking, refunds, timeline, silent, newSteps: view.showSteps(timeline, silent) };
}

async function findPayment() {
  if (query.has("payment")) return fetchPayment(query.get("payment"));
  const search = new URLSearchParams({ orderId: orderId ?? "", limit: 1 });
  const [found] = (await fetchJson(`${payments}?${search}`)).payments;
  return found?.status === "pending" ? fetchPayment(found.id) : { payment: found };
}

/** The payment, with `nextAction` if it waits for its customer. */
function fetchPayment(id) {
  return fetchJson(`${payments}/${encodeURIComponent(id)}`);
}

async function findRefunds() {
  if (payment.status !== "succeeded") return [];
  return (await fetchJson(`${payments}/${payment.id}/refunds`)).refunds;
}

/** If the payment has failed: can the order still be paid? */
function orderState() {
  if (finishedBasketOf(orderId)) return "closed";
  if (!requestOf(orderId)) return "unknown";
  return payment.id === retriedId ? "open" : "unanswered";
}

function showNoPayment(isAsking) {
  showStart("There is no payment of this order");
  return { isAsking, timeline: [], silent: [], refunds: [], newSteps: 0 };
}

function showStart(title) {
  if (requestOf(orderId)) view.showState("pending", "The payment is being sent");
  else view.showState("none", title);
}

function showWorkflow(orderId) {
  if (workflows) view.showWorkflow(`${workflows}/payment-${orderId}`);
}

/** True if nothing is pending and no new step has come for long enough. */
function isOver({ isAsking, refunds, timeline }, quietMilliseconds) {
  const isPending = (each) => each.status === "pending";
  if (isAsking || !payment || [payment, ...refunds].some(isPending)) return false;
  const expected = 1 + refunds.filter((each) => each.status === "succeeded").length;
  const found = timeline.filter((entry) => entry.source === "kafka").length;
  return quietMilliseconds > (found < expected ? QUIET_WITHOUT_EVENTS : QUIET_WITH_EVENTS);
}

function missingSources({ silent }) {
  return silent.length ? `Not heard from just now: ${view.namesOf(silent)}.` : null;
}

/** Shows that the action is tried again. Returns in how many milliseconds. */
function announceRetry(action, error) {
  view.showProblem(action, `${error.message} Trying again in ${error.seconds} s.`);
  return 1000 * error.seconds;
}

function pauseUnlessWoken(milliseconds) {
  return Promise.race([pause(milliseconds), new Promise((resolve) => (wake = resolve))]);
}

/** Runs a button's action. The button may disappear, so the focus moves to the payment's state. */
async function run(button, action) {
  button.disabled = true;
  try {
    await action();
    view.showProblem("act", null);
  } catch (error) {
    view.showProblem("act", error.message);
  }
  button.disabled = false;
  document.getElementById("state").focus();
  follow();
}

function cancel() {
  return fetchText(`${payments}/${payment.id}/cancel`, { method: "POST" });
}

// Always the same key, so that a payment is refunded once, however often the button is used.
function refund() {
  const key = { "idempotency-key": `all of ${payment.id}` };
  return fetchText(`${payments}/${payment.id}/refunds`, post("{}", key));
}

function reorder() {
  return placeOrder(finishedBasketOf(orderId));
}

for (const action of [cancel, refund, reorder]) {
  const button = document.getElementById(action.name);
  button.addEventListener("click", () => run(button, action));
  // The browser's Back button may show this page as it was left, with a button disabled.
  addEventListener("pageshow", (event) => {
    if (event.persisted) button.disabled = false;
  });
}
// The Back button from the gateway may restore this page as it was. Then it continues.
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    pay();
    follow();
  }
});
if (query.has("order") || query.has("payment")) {
  showStart("Looking for the payment");
  pay();
  follow();
} else {
  view.showState("none", "This address names no payment");
}
