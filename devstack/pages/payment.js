// The payment page: sends what the checkout has left, follows the payment to its end, acts on it.

import { forget, left } from "./handover.js";
import { ask, pause, post, send } from "./service.js";
import * as story from "./story.js";

const FIRST_REST = 400;
const LONGEST_REST = 5000;
const QUIET_ONCE_TOLD = 2000;
const QUIET_AT_MOST = 30_000;

const asked = new URLSearchParams(location.search);
const { paymentApi, workflows } = await ask("/addresses");
const payments = `${paymentApi}/payments`;
let payment = null;
let isFollowing = false;
let wake = () => {};

/** Sends the checkout's request until it is answered; its key makes the repetition harmless. */
async function pay(orderId) {
  for (let request; (request = left(orderId)); ) {
    try {
      await send(payments, post(request.body, { "idempotency-key": request.key }));
      forget(orderId);
      story.showTrouble("pay", null);
    } catch (failure) {
      if (failure.mayPass) await pause(untilAgain("pay", failure));
      else refused(orderId, failure);
    }
    wake();
  }
}

function refused(orderId, failure) {
  forget(orderId);
  story.showTrouble("pay", failure.answer.payment ? null : failure.message);
}

/** Shows what is told until the payment has ended and nothing more comes. */
async function follow() {
  if (isFollowing) return wake();
  isFollowing = true;
  story.showProgress("New steps appear by themselves.");
  try {
    await followToItsEnd();
    story.showProgress("No further steps are expected.");
  } catch (failure) {
    story.showState("none", failure.message);
    story.showProgress("");
  }
  isFollowing = false;
}

async function followToItsEnd() {
  let rest = FIRST_REST;
  for (let newsAt = Date.now(); ; ) {
    try {
      const told = await look();
      story.showTrouble("follow", silence(told));
      if (told.news) newsAt = Date.now();
      if (isOver(told, Date.now() - newsAt)) return;
      rest = told.news ? FIRST_REST : Math.min(1.3 * rest, LONGEST_REST);
      await sleep(rest);
    } catch (failure) {
      if (!failure.mayPass) throw failure;
      await sleep(untilAgain("follow", failure));
    }
  }
}

async function look() {
  payment = await find();
  if (!payment) return showNothing();
  const refunds = await findRefunds();
  story.showPayment(payment, refunds);
  showWorkflow(payment.orderId);
  const { timeline, silent } = await ask(`${payments}/${payment.id}/timeline`);
  return { refunds, timeline, silent, news: story.showSteps(timeline, silent) };
}

async function find() {
  if (asked.has("payment")) {
    return (await ask(`${payments}/${encodeURIComponent(asked.get("payment"))}`)).payment;
  }
  const query = new URLSearchParams({ orderId: asked.get("order") ?? "", limit: 1 });
  return (await ask(`${payments}?${query}`)).payments[0];
}

async function findRefunds() {
  if (payment.status !== "succeeded") return [];
  return (await ask(`${payments}/${payment.id}/refunds`)).refunds;
}

function showNothing() {
  showStart("There is no payment of this order");
  return { timeline: [], silent: [], refunds: [], news: 0 };
}

function showStart(otherwise) {
  if (left(asked.get("order"))) story.showState("pending", "The payment is being sent");
  else story.showState("none", otherwise);
}

function showWorkflow(orderId) {
  if (workflows) story.showWorkflow(`${workflows}/payment-${orderId}`);
}

function isOver({ refunds, timeline }, quiet) {
  const isPending = (each) => each.status === "pending";
  if (!payment || [payment, ...refunds].some(isPending)) return false;
  const events = 1 + refunds.filter((each) => each.status === "succeeded").length;
  const records = timeline.filter((entry) => entry.source === "kafka").length;
  return quiet > (records < events ? QUIET_AT_MOST : QUIET_ONCE_TOLD);
}

function silence({ silent }) {
  return silent.length ? `Not heard from just now: ${story.namesOf(silent)}.` : null;
}

function untilAgain(by, failure) {
  story.showTrouble(by, `${failure.message} Trying again in ${failure.seconds} s.`);
  return 1000 * failure.seconds;
}

/** Rests, unless it is woken. */
function sleep(milliseconds) {
  return Promise.race([pause(milliseconds), new Promise((resolve) => (wake = resolve))]);
}

/** Does what a button says. The button may go, so the focus goes to what has become of it. */
async function act(button, request) {
  button.disabled = true;
  try {
    await send(...request());
    story.showTrouble("act", null);
  } catch (failure) {
    story.showTrouble("act", failure.message);
  }
  button.disabled = false;
  document.getElementById("state").focus();
  follow();
}

function cancel() {
  return [`${payments}/${payment.id}/cancel`, { method: "POST" }];
}

// One key for ever: all of a payment is given back once, however often it is asked for.
function refund() {
  const key = { "idempotency-key": `all of ${payment.id}` };
  return [`${payments}/${payment.id}/refunds`, post("{}", key)];
}

for (const request of [cancel, refund]) {
  const button = document.getElementById(request.name);
  button.addEventListener("click", () => act(button, request));
}
if (asked.has("order") || asked.has("payment")) {
  showStart("Looking for the payment");
  pay(asked.get("order"));
  follow();
} else {
  story.showState("none", "This address names no payment");
}
