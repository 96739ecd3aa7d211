// The payment page: sends what the checkout has left, follows the payment to its end, acts on it.

import { answeredBasketOf, place, requestOf, setAnswered } from "./handover.js";
import { ask, pause, post, send } from "./service.js";
import * as story from "./story.js";

const FIRST_REST = 400;
const LONGEST_REST = 5000;
const QUIET_ONCE_TOLD = 2000;
const QUIET_AT_MOST = 30_000;
const UNTIL_ASKED_AGAIN = 5000; // as Retry-After of a payment that is still running

const asked = new URLSearchParams(location.search);
const { paymentApi, workflows } = await ask("/addresses");
const payments = `${paymentApi}/payments`;
const orderId = asked.get("order");
let payment = null;
let retriedId = null; // of a failed payment whose order can still be paid
let isFollowing = false;
let wake = () => {};

/** Sends the checkout's request until its answer is final; its key makes the repetition harmless. */
async function pay() {
  for (let request; (request = requestOf(orderId)); follow()) {
    try {
      const headers = { "idempotency-key": request.key };
      const answer = await ask(payments, post(request.body, headers));
      story.showTrouble("pay", null);
      if (answer.payment.status === "pending") await pause(UNTIL_ASKED_AGAIN);
      else setAnswered(orderId);
    } catch (failure) {
      if (failure.mayPass) await pause(untilRetried(failure));
      else refused(failure);
    }
  }
}

function untilRetried(failure) {
  retriedId = failure.answer.payment?.id;
  follow();
  return untilAgain("pay", failure);
}

function refused(failure) {
  setAnswered(orderId);
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
  story.offerNewOrder(answeredBasketOf(orderId) && (payment?.status ?? "failed") === "failed");
  if (!payment) return showNothing();
  const refunds = await findRefunds();
  story.showPayment(payment, refunds, outlook());
  showWorkflow(payment.orderId);
  const { timeline, silent } = await ask(`${payments}/${payment.id}/timeline`);
  return { refunds, timeline, silent, news: story.showSteps(timeline, silent) };
}

async function find() {
  if (asked.has("payment")) {
    return (await ask(`${payments}/${encodeURIComponent(asked.get("payment"))}`)).payment;
  }
  const query = new URLSearchParams({ orderId: orderId ?? "", limit: 1 });
  return (await ask(`${payments}?${query}`)).payments[0];
}

async function findRefunds() {
  if (payment.status !== "succeeded") return [];
  return (await ask(`${payments}/${payment.id}/refunds`)).refunds;
}

/** What becomes of the order if its payment has failed. */
function outlook() {
  if (answeredBasketOf(orderId)) return "closed";
  if (!requestOf(orderId)) return "unknown";
  return payment.id === retriedId ? "open" : "unanswered";
}

function showNothing() {
  showStart("There is no payment of this order");
  return { timeline: [], silent: [], refunds: [], news: 0 };
}

function showStart(otherwise) {
  if (requestOf(orderId)) story.showState("pending", "The payment is being sent");
  else story.showState("none", otherwise);
}

function showWorkflow(orderId) {
  if (workflows) story.showWorkflow(`${workflows}/payment-${orderId}`);
}

function isOver({ refunds, timeline }, quiet) {
  const isPending = (each) => each.status === "pending";
  if (requestOf(orderId) || !payment || [payment, ...refunds].some(isPending)) return false;
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
async function act(button, deed) {
  button.disabled = true;
  try {
    await deed();
    story.showTrouble("act", null);
  } catch (failure) {
    story.showTrouble("act", failure.message);
  }
  button.disabled = false;
  document.getElementById("state").focus();
  follow();
}

function cancel() {
  return send(`${payments}/${payment.id}/cancel`, { method: "POST" });
}

// One key for ever: all of a payment is given back once, however often it is asked for.
function refund() {
  const key = { "idempotency-key": `all of ${payment.id}` };
  return send(`${payments}/${payment.id}/refunds`, post("{}", key));
}

function reorder() {
  return place(answeredBasketOf(orderId));
}

for (const deed of [cancel, refund, reorder]) {
  const button = document.getElementById(deed.name);
  button.addEventListener("click", () => act(button, deed));
  // A browser may show this page again as it was left, with a button pressed.
  addEventListener("pageshow", (event) => {
    if (event.persisted) button.disabled = false;
  });
}
if (asked.has("order") || asked.has("payment")) {
  showStart("Looking for the payment");
  pay();
  follow();
} else {
  story.showState("none", "This address names no payment");
}
