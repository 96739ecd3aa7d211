// What the checkout leaves for the payment page: the basket, and the request that pays its order.
// Both outlive a reload. The request keeps its Idempotency-Key, so sending it again never pays twice.

import { post, send } from "./service.js";

/** Places the basket as a new order, and leaves for the page that pays it. */
export async function place(basket) {
  const body = await send("/orders", post(JSON.stringify(basket)));
  const { orderId } = JSON.parse(body);
  const request = { body, key: crypto.randomUUID() };
  sessionStorage.setItem(orderId, JSON.stringify({ basket, request }));
  location.assign(`/payment?order=${orderId}`);
  return new Promise(() => {}); // until this page is gone, so that no second click places another
}

/** The request that pays the order, until its answer is final. */
export function requestOf(orderId) {
  return read(orderId).request;
}

/** The basket of an order whose request has got a final answer. */
export function answeredBasketOf(orderId) {
  const { basket, request } = read(orderId);
  return request ? undefined : basket;
}

/** Keeps the basket only: the request has got a final answer. */
export function setAnswered(orderId) {
  sessionStorage.setItem(orderId, JSON.stringify({ basket: read(orderId).basket }));
}

function read(orderId) {
  return JSON.parse(sessionStorage.getItem(orderId)) ?? {};
}
