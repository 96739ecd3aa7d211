// What the checkout leaves for the payment page: the request that pays an order, until it is answered.
// It outlives a reload and keeps its Idempotency-Key, so sending it again never pays twice.

export function leave(orderId, body) {
  sessionStorage.setItem(orderId, JSON.stringify({ body, key: crypto.randomUUID() }));
}

export function left(orderId) {
  return JSON.parse(sessionStorage.getItem(orderId));
}

export function forget(orderId) {
  sessionStorage.removeItem(orderId);
}
