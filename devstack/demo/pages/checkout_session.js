// The data that the pages store about an order: the basket, the request that pays it, and the payment
// whose customer was redirected to the gateway. It is in sessionStorage, so it survives a reload and a
// redirect to the gateway. The request is stored with its Idempotency-Key, so the payment page can send
// it again and never pays twice.

import { fetchText, post } from "./http.js";

/** Places an order for the basket, then opens the page that pays it. */
export async function placeOrder(basket) {
  const body = await fetchText("/orders", post(JSON.stringify(basket)));
  const { orderId } = JSON.parse(body);
  const request = { body, key: crypto.randomUUID() };
  sessionStorage.setItem(orderId, JSON.stringify({ basket, request }));
  location.assign(`/payment?order=${orderId}`);
  return new Promise(() => {}); // never resolved, so a second click cannot place a second order
}

/** The request that pays the order; undefined after its final response. */
export function requestOf(orderId) {
  return read(orderId).request;
}

/** The basket of the order; undefined before the final response to its request. */
export function finishedBasketOf(orderId) {
  const { basket, request } = read(orderId);
  return request ? undefined : basket;
}

/** Call it on the final response: it removes the request and keeps the basket. */
export function setFinished(orderId) {
  sessionStorage.setItem(orderId, JSON.stringify({ ...read(orderId), request: undefined }));
}

/** True the first time: a customer who comes back with the Back button is not redirected again. */
export function mayRedirect(orderId, paymentId) {
  const order = read(orderId);
  if (order.redirected === paymentId) return false;
  sessionStorage.setItem(orderId, JSON.stringify({ ...order, redirected: paymentId }));
  return true;
}

/** The order whose customer was redirected for this payment; undefined in another tab. */
export function orderOf(paymentId) {
  return Object.keys(sessionStorage).find((orderId) => read(orderId).redirected === paymentId);
}

function read(orderId) {
  return JSON.parse(sessionStorage.getItem(orderId)) ?? {};
}
